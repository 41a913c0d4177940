/** Basic types of a definition. */
import { z } from "zod";

/** A schema with an entry for every key of a type, so a new key of the type is required here too. */
export type For<T> = Record<keyof Required<T>, z.ZodType>;

export const name = z.string().min(1, "must not be empty");
export const names = z.array(name);
/** A program and its arguments, which may be empty. */
export const command = z
  .array(z.string(), 'must be a list of the program and its arguments, e.g. ["python3", "worker.py"]')
  .refine(([program = ""]) => program !== "", "must name a program first");
export const work = z.custom((value) => typeof value === "function", "must be a function");
/** Zod's record ignores this special key, and so would its readers. */
const namesOfItsOwn = z.unknown().superRefine((value, context) => {
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, "__proto__")) return;
  context.addIssue({ code: "custom", path: ["__proto__"], message: "reserved name: choose another" });
});
export const mapOf = (schema: z.ZodType): z.ZodType => namesOfItsOwn.pipe(z.record(z.string(), schema));
/** Data that only its own readers interpret. */
export const some = z.looseObject({});
export const positive = z.number().positive("must be more than 0");
/** A duration in any unit. */
export const duration = z.number().min(0, "must not be negative");
