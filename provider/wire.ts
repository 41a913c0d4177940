/**
 * Wire encoding of property values. Secrets arrive as raw wrapper objects and must leave wrapped, or they land in the state file as plain
 * text; unknown values arrive as marker strings.
 */
import { unknownValue } from "@pulumi/pulumi/runtime/rpc.js";
import { UNKNOWN } from "./resource.ts";

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

export function containsUnknown(value: unknown): boolean {
  if (value === UNKNOWN) return true;
  if (typeof value !== "object" || value === null) return false;
  return Object.values(value).some(containsUnknown);
}
