/** What a definition is refused for. */
import { checkDefinition } from "../../../config/definition.ts";
import { ConfigErrors } from "../../../config/errors.ts";

/** Messages of the refusal; empty: it is right. */
export function refusal(work: () => unknown): string[] {
  try {
    work();
  } catch (error) {
    if (error instanceof ConfigErrors) return error.errors.map(({ message }) => message);
    throw error;
  }
  return [];
}

export function wrongIn(definition: unknown): string[] {
  return refusal(() => checkDefinition(definition));
}

/** A copy with another value at a path: keys, or numbers in lists. `undefined` takes the key away. Functions stay the same. */
export function changed<T>(of: T, path: string, value: unknown): T {
  const [key = "", ...rest] = path.split(".");
  const copy = (Array.isArray(of) ? [...(of as unknown[])] : { ...of }) as Record<string, unknown>;
  copy[key] = rest.length === 0 ? value : changed(copy[key], rest.join("."), value);
  if (copy[key] === undefined) Reflect.deleteProperty(copy, key);
  return copy as T;
}
