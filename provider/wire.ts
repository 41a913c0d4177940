/**
 * Wire encoding of property values. Secrets arrive as raw wrapper objects and must leave wrapped, or they land in the state file as plain
 * text; unknown values arrive as marker strings.
 */
import { unknownValue } from "@pulumi/pulumi/runtime/rpc.js";
import { placedIn } from "../config/portable-site.ts";
import { TEXT_INPUTS } from "../config/resources.ts";
import type { Site } from "../config/site.ts";
import { UNKNOWN, type Values } from "./resource.ts";

const SIGNATURE = "4dabf18193072939515e22adb298388d";
const SECRET = "1b47061264138c4ac30d75fd1eb44270";

/** A value without secret wrappers, unknowns as `UNKNOWN`. */
export function unwrap(value: unknown): unknown {
  if (value === unknownValue) return UNKNOWN;
  if (Array.isArray(value)) return value.map(unwrap);
  if (typeof value !== "object" || value === null) return value;
  const record = value as Record<string, unknown>;
  if (record[SIGNATURE] === SECRET) return unwrap(record["value"]);
  return Object.fromEntries(Object.entries(record).map(([key, inner]) => [key, unwrap(inner)]));
}

export function secret(value: unknown): unknown {
  return { [SIGNATURE]: SECRET, value };
}

export function isSecret(value: unknown): boolean {
  return typeof value === "object" && value !== null && (value as Record<string, unknown>)[SIGNATURE] === SECRET;
}

/** Paths (`server.password`) at which a value is wrapped as secret. */
export function secretPaths(value: unknown, at: string[] = []): string[][] {
  if (isSecret(value)) return [at];
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => secretPaths(inner, [...at, key]));
}

/** Values ready for the engine: what stood at `paths` wrapped as secret, unknowns as the engine's marker. */
export function wrap(values: unknown, paths: string[][]): unknown {
  const encode = (value: unknown, at: string[]): unknown => {
    if (paths.some((path) => path.length === at.length && path.every((step, index) => step === at[index])))
      return secret(encodeInner(value, at));
    return encodeInner(value, at);
  };
  const encodeInner = (value: unknown, at: string[]): unknown => {
    if (value === UNKNOWN) return unknownValue;
    if (Array.isArray(value)) return value.map((inner, index) => encode(inner, [...at, String(index)]));
    if (typeof value === "object" && value !== null)
      return Object.fromEntries(
        Object.entries(value)
          .filter(([, inner]) => inner !== undefined)
          .map(([key, inner]) => [key, encode(inner, [...at, key])]),
      );
    return value;
  };
  return encode(values, []);
}

/** Inputs as a resource reads them: without secret wrappers and markers, texts as what they say. */
export function opened(values: Values): Values {
  const plain = unwrap(values) as Values;
  for (const key of TEXT_INPUTS) if (typeof plain[key] === "string") plain[key] = JSON.parse(plain[key]) as unknown;
  if (typeof plain["site"] === "object" && plain["site"] !== null) plain["site"] = placedIn(plain["site"] as Site, projectFolder());
  return plain;
}

/** Folder in which the engine runs program and provider. */
function projectFolder(): string {
  return process.env["BACKOUT_PROJECT"] ?? process.cwd();
}

/** Values of a resource as the engine gets them: what came as a secret or as a text goes as it came. */
export function closed(values: Values, original: Values): Values {
  const texts = TEXT_INPUTS.filter((key) => key in original && key in values).map((key) => [key, original[key]]);
  return { ...(wrap(values, secretPaths(original)) as Values), ...(Object.fromEntries(texts) as Values) };
}

export function containsUnknown(value: unknown): boolean {
  if (value === UNKNOWN) return true;
  if (typeof value !== "object" || value === null) return false;
  return Object.values(value).some(containsUnknown);
}
