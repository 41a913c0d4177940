/** A value as one JSON text: Pulumi's engine would handle and log every value of a nested input separately. */
export type JsonText<T> = string & { readonly of?: T };

/** @returns the value as JSON text, with its type */
export function jsonText<T>(value: T): JsonText<T> {
  return JSON.stringify(value);
}
