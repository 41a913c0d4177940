/** From raw stack configuration to validated config; every error names the key, the value and what is allowed. */
import type { z } from "zod";
import { ConfigError, ConfigErrors, NAMESPACE, suggestion } from "./errors.ts";
import { own } from "./own.ts";
import { CONFIG_KEYS, configSchema, type StackConfig } from "./schema.ts";

/**
 * @param raw configuration as stored: full keys (`backout:release`) to values, objects either as such or as JSON text.
 * @param secret keys without namespace that hold something encrypted: errors do not show their values.
 * @throws ConfigErrors
 */
export function parseConfig(raw: Record<string, unknown>, secret: readonly string[] = []): StackConfig {
  const values: Record<string, unknown> = {};
  const errors: ConfigError[] = [];
  for (const [fullKey, value] of Object.entries(raw)) {
    if (!fullKey.startsWith(`${NAMESPACE}:`)) continue;
    const key = fullKey.slice(NAMESPACE.length + 1);
    if (!CONFIG_KEYS.includes(key)) {
      errors.push(new ConfigError(fullKey, shown(key, value), own(GONE, key) ?? unknownKey(key, CONFIG_KEYS)));
    } else values[key] = isText(key) ? value : decode(value);
  }
  const parsed = configSchema.safeParse(values);
  if (!parsed.success)
    errors.push(
      ...described(parsed.error.issues, { schema: configSchema, values, under: `${NAMESPACE}:` }).map((error) =>
        withoutValue(error, secret),
      ),
    );
  if (errors.length > 0 || !parsed.success) throw new ConfigErrors(errors);
  return parsed.data;
}

/** Pulumi hands objects, numbers and booleans over as JSON text. */
function decode(value: unknown): unknown {
  if (typeof value !== "string") return value;
  if (!/^(?:[[{]|true$|false$|-?\d+$)/.test(value)) return value;
  try {
    return JSON.parse(value) as unknown;
  } catch {
    return value;
  }
}

/** Encrypted values are never shown in plain text, not even under a mistyped key. */
function shown(key: string, value: unknown): unknown {
  if (/pass|secret|token|storeKey/i.test(key) && value !== undefined) return "(not shown)";
  return typeof value === "string" ? value.replace(/\/\/[^/@]*@/, "//(not shown)@") : value;
}

function withoutValue(error: ConfigError, secret: readonly string[]): ConfigError {
  const inside = secret.some((key) => error.key === `${NAMESPACE}:${key}` || error.key.startsWith(`${NAMESPACE}:${key}.`));
  return inside && error.value !== undefined ? new ConfigError(error.key, "(not shown)", error.allowed) : error;
}

type Schema = z.core.$ZodType;

/** The schema of a value, without defaults, alternatives and preprocessing. */
function forms(schema: Schema): Schema[] {
  const def = schema._zod.def as { type: string; innerType?: Schema; out?: Schema; options?: Schema[] };
  if (def.innerType !== undefined) return forms(def.innerType);
  if (def.type === "pipe" && def.out !== undefined) return forms(def.out);
  return def.type === "union" ? (def.options ?? []).flatMap(forms) : [schema];
}

/** Text stays text, even if it looks like a number: `12345678` may be a password. */
function isText(key: string): boolean {
  const schema = configSchema.shape[key as keyof typeof configSchema.shape] as Schema;
  return forms(schema).every(({ _zod: { def } }) => def.type === "string" || def.type === "enum");
}

/** Known keys at a path. */
function knownKeys(root: Schema, path: readonly PropertyKey[]): string[] {
  const inside = (schema: Schema): { shape?: Record<string, Schema>; valueType?: Schema } => schema._zod.def as object;
  const at = path.reduce<Schema[]>(
    (schemas, step) => schemas.flatMap(forms).flatMap((one) => own(inside(one).shape, String(step)) ?? inside(one).valueType ?? []),
    [root],
  );
  return [...new Set(at.flatMap(forms).flatMap((schema) => Object.keys(inside(schema).shape ?? {})))];
}

type Issue = z.core.$ZodIssue;

/** Former keys of a stack, with what to do instead. */
const GONE: Record<string, string> = {
  definition:
    "this key is gone, the program describes the system: end the program that `main` of Pulumi.yaml names with `new System(definition.name, definition)`, " +
    "and remove `backout:definition` and `backout:system`",
};

/** Former names of keys, with the current ones. */
const RENAMED: Record<string, string> = { components: "services", component: "service", arm: "standby", carry: "newWrites" };

/** The value that was checked, and its key. */
interface Looked {
  schema: Schema;
  values: unknown;
  /** Prefix of the path: `backout:`. */
  under: string;
}

/** Errors found by a schema, each with key, value and what is allowed. */
export function described(issues: readonly Issue[], looked: Looked): ConfigError[] {
  const errors = issues.flatMap((issue) => describe(issue, looked));
  // A key present under its old name is not reported as missing too.
  const renamed = new Set(
    errors.flatMap(({ key }) => {
      const [, before = "", last = ""] = /^(.*[.:])?([^.:]*)$/.exec(key) ?? [];
      const now = own(RENAMED, last);
      return now === undefined ? [] : [`${before}${now}`];
    }),
  );
  return errors.filter(({ key, value }) => !(renamed.has(key) && value === undefined));
}

function describe(issue: Issue, looked: Looked): ConfigError[] {
  // Of several forms, the one that matched furthest gives the best error.
  if (issue.code === "invalid_union" && issue.errors.length > 0) {
    const deepest = [...issue.errors].sort((a, b) => Number(isOtherForm(a)) - Number(isOtherForm(b)) || depth(b) - depth(a))[0];
    if (deepest !== undefined && deepest.length > 0)
      return deepest.flatMap((inner) => describe({ ...inner, path: [...issue.path, ...inner.path] }, looked));
  }
  // A word may replace a map: `maintenance: off`.
  const at = issue.path.reduce<unknown>(
    (value, step) => (typeof value === "object" && value !== null ? (value as Record<PropertyKey, unknown>)[step] : value),
    looked.values,
  );
  const key = issue.path.map(String).join(".");
  if (issue.code === "invalid_key")
    return [new ConfigError(`${looked.under}${key}`, issue.path.at(-1), issue.issues[0]?.message ?? issue.message)];
  if (issue.code !== "unrecognized_keys") return [new ConfigError(`${looked.under}${key}`, shown(key, at), allowed(issue))];
  const known = knownKeys(looked.schema, issue.path);
  return issue.keys.map(
    (unknown) =>
      new ConfigError(
        `${looked.under}${key === "" ? "" : `${key}.`}${unknown}`,
        shown(unknown, (at as Record<string, unknown>)[unknown]),
        unknownKey(unknown, known),
      ),
  );
}

function unknownKey(unknown: string, known: string[]): string {
  const renamed = own(RENAMED, unknown);
  return renamed !== undefined && known.includes(renamed)
    ? `this key is now called \`${renamed}\`: rename it`
    : `unknown key; known are ${known.join(", ")}${suggestion(unknown, known)}`;
}

/** A key that selects another form: `embedded: true`. */
function isOtherForm(issues: Issue[]): boolean {
  return issues.some((issue) => issue.code === "invalid_value" && issue.values.length === 1);
}

function depth(issues: Issue[]): number {
  return Math.max(0, ...issues.map((issue) => issue.path.length * 2 + (issue.code === "invalid_type" ? 0 : 1)));
}

const NAMES: Record<string, string> = { record: "a map", object: "a map", array: "a list", int: "a whole number" };

function allowed(issue: Issue): string {
  switch (issue.code) {
    case "invalid_value":
      return `must be ${issue.values.map((value) => `\`${String(value)}\``).join(" or ")}`;
    case "invalid_type":
      // The schema's own message is better, if it has one.
      return issue.message.startsWith("Invalid input") ? `must be ${NAMES[issue.expected] ?? `a ${issue.expected}`}` : issue.message;
    default:
      return issue.message;
  }
}
