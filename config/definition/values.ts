/** What the parts of a definition are made of. */
import { z } from "zod";

/** What a schema has for every key of a type: a new key of the type is one here as well. */
export type For<T> = Record<keyof Required<T>, z.ZodType>;

export const name = z.string().min(1, "must not be empty");
export const names = z.array(name);
export const work = z.custom((value) => typeof value === "function", "must be a function");
/** A record passes over a key that every object has a meaning for, and so would whatever reads it. */
const namesOfItsOwn = z.unknown().superRefine((value, context) => {
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, "__proto__")) return;
  context.addIssue({ code: "custom", path: ["__proto__"], message: "is no name for anything: choose another" });
});
export const mapOf = (schema: z.ZodType): z.ZodType => namesOfItsOwn.pipe(z.record(z.string(), schema));
/** Data whose inside only its own readers know. */
export const some = z.looseObject({});
export const positive = z.number().positive("must be more than 0");
/** A duration, whatever its unit. */
export const duration = z.number().min(0, "must not be negative");
