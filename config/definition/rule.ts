/** What the rules for a definition say and have in common. A rule looks at one part of a definition and reports each thing that is wrong with it. */
import { ConfigError, suggestion } from "../errors.ts";

/** Reports what is wrong: the path in the definition, what stands there, what is allowed and what to do. */
export type Fail = (path: string, value: unknown, allowed: string) => void;

/** Under which keys of the errors a definition is known. */
export const UNDER = "definition.";

/** Collects what rules report. */
export function collect(rules: (fail: Fail) => void): ConfigError[] {
  const errors: ConfigError[] = [];
  rules((path, value, allowed) => void errors.push(new ConfigError(`${UNDER}${path}`, value, allowed)));
  return errors;
}

/** Requires each name to be one of those that are known. `of`: what they belong to. */
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

/** Requires every name of a list to stand there once. */
export function once(fail: Fail, names: readonly string[], pathOf: (index: number) => string, fix = "remove one"): void {
  names.forEach((name, index) => {
    if (names.indexOf(name) !== index) fail(pathOf(index), name, `stands there twice: ${fix}`);
  });
}

/** Requires every `{name}` in a text to be one that is filled in. */
export function filledIn(fail: Fail, path: string, text: string, known: readonly string[]): void {
  const unknown = [...text.matchAll(/\{(\w+)\}/g)].map((match) => match[1]!).filter((name) => !known.includes(name));
  for (const name of new Set(unknown)) {
    const places = known.map((each) => `{${each}}`).join(", ");
    fail(path, text, `nobody fills in {${name}}; known are ${places}${suggestion(name, [...known])}`);
  }
}

export const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);
