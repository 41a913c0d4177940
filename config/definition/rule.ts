/** Common parts of the rules for a definition. A rule checks one part of a definition and reports each mistake. */
import { ConfigError, suggestion } from "../errors.ts";

/** Reports a mistake: the path in the definition, its value, what is allowed and the fix. */
export type Fail = (path: string, value: unknown, allowed: string) => void;

/** The key of a definition in errors. */
export const UNDER = "definition.";

/** Collects the mistakes that rules report. */
export function collect(rules: (fail: Fail) => void): ConfigError[] {
  const errors: ConfigError[] = [];
  rules((path, value, allowed) => void errors.push(new ConfigError(`${UNDER}${path}`, value, allowed)));
  return errors;
}

/** Requires each name to be a known one. `of`: what the names belong to. */
export function among(
  fail: Fail,
  what: string,
  known: readonly string[],
  of = "the definition",
): (path: string, given: string | null | undefined) => void {
  return (path, given) => {
    if (given == null || known.includes(given)) return;
    fail(path, given, `no ${what} of ${of}, only ${known.join(", ") || "none"}${suggestion(given, [...known])}`);
  };
}

/** Requires the names of a list to be unique. */
export function once(fail: Fail, names: readonly string[], pathOf: (index: number) => string, fix = "remove one"): void {
  names.forEach((name, index) => {
    if (names.indexOf(name) !== index) fail(pathOf(index), name, `listed twice: ${fix}`);
  });
}

/** Requires every placeholder `{name}` in a text to be a known one. */
export function filledIn(fail: Fail, path: string, text: string, known: readonly string[]): void {
  const unknown = [...text.matchAll(/\{(\w+)\}/g)].map((match) => match[1]!).filter((name) => !known.includes(name));
  for (const name of new Set(unknown)) {
    const places = known.map((each) => `{${each}}`).join(", ");
    fail(path, text, `unknown placeholder {${name}}; known are ${places}${suggestion(name, [...known])}`);
  }
}

export const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);
