/** Errors of the config, with suggestions. */

/** Namespace of the stack's configuration. */
export const NAMESPACE = "backout";

/** With this mark Pulumi shows only the message of an error, without a stack trace. */
export const TOLD_WHOLE = true;

/** Refused by policy or safety: nothing was changed, or all changes were reverted. Exit code of a verb: 3. */
export class RefusedError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "RefusedError";
  }
}

/** Wrong usage. Exit code of a verb: 2. */
export class UsageError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "UsageError";
  }
}

/** A key of the config has a value that is not allowed. */
export class ConfigError extends RefusedError {
  /** Key with path, e.g. `backout:releases.v3.0.0.services.backend.sha256`. */
  readonly key: string;
  /** The value that was found. */
  readonly value: unknown;
  /** What is allowed, and what is wrong with the value. */
  readonly allowed: string;
  readonly __pulumiRunError = TOLD_WHOLE;
  constructor(key: string, value: unknown, allowed: string) {
    super(printable(value === undefined ? `${key} is missing: ${allowed}` : `${key}: ${show(value)} is not allowed: ${allowed}`));
    this.name = "ConfigError";
    this.key = key;
    this.value = value;
    this.allowed = allowed;
  }
}

const LONGEST_WORD = 300;

/**
 * User text made safe to print: control and direction characters are replaced by their numbers, and overlong words are cut. Line breaks
 * stay.
 */
export function printable(text: string): string {
  return text
    .replaceAll(/[^\P{C}\n\u{200d}]|[\u2028\u2029]/gu, (odd) => `\\u${odd.codePointAt(0)!.toString(16).padStart(4, "0")}`)
    .replaceAll(/\S+/g, (word) => (word.length > LONGEST_WORD ? `${word.slice(0, LONGEST_WORD / 2)}…` : word));
}

function show(value: unknown): string {
  // Neither of the infinities nor NaN is JSON.
  if (typeof value === "number") return String(value);
  const text = typeof value === "string" ? `"${value}"` : (JSON.stringify(value) ?? `a ${typeof value}`);
  return text.length > 120 ? `${text.slice(0, 117)}…` : text;
}

/** Several errors at once, so that one edit fixes them all. */
export class ConfigErrors extends RefusedError {
  /** Each of them, in the order of the file. */
  readonly errors: ConfigError[];
  readonly __pulumiRunError = TOLD_WHOLE;
  constructor(errors: ConfigError[]) {
    super(errors.map((error) => error.message).join("\n"));
    this.name = "ConfigErrors";
    this.errors = errors;
  }
}

/** ` (did you mean …?)` for a name that resembles a known one. */
export function suggestion(given: string, known: string[]): string {
  const near = known
    .map((word) => ({ word, distance: distance(given.toLowerCase(), word.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance)[0];
  const begun = given.length > 1 ? known.filter((word) => word.startsWith(given)) : [];
  if (begun.length === 1) return ` (did you mean \`${begun[0]!}\`?)`;
  return near !== undefined && near.distance <= Math.max(given.length > 2 ? 1 : 0, Math.floor(given.length / 3))
    ? ` (did you mean \`${near.word}\`?)`
    : "";
}

/** Edits from one to the other; two letters that changed places are one. By hand: every verb and every update would load a library for these lines. */
function distance(a: string, b: string): number {
  let before: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const swapped = a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1] ? before[j - 2]! + 1 : Infinity;
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1), swapped));
    }
    [before, row] = [row, next];
  }
  return row[b.length]!;
}

/** `a`, `a and b`, `a, b and c` */
export function inWords(names: readonly string[]): string {
  return new Intl.ListFormat("en-GB").format(names);
}
