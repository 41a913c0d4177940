/** A value as one JSON text, where what carries it would take it apart: Pulumi's engine handles and logs every value of a nested input by itself. */
export type JsonText<T> = string & { readonly of?: T };

export function jsonText<T>(value: T): JsonText<T> {
  return JSON.stringify(value);
}
