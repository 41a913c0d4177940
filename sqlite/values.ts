/** Values as SQLite keeps them: five storage classes, one order, one text. */

/** Integers are bigints, so that none is rounded. */
export type Value = null | bigint | number | string | Uint8Array;

const RANKS = { object: 0, bigint: 1, number: 1, string: 2 } as const;

function rank(value: Value): number {
  if (value === null) return 0;
  return value instanceof Uint8Array ? 3 : RANKS[typeof value as keyof typeof RANKS];
}

/** SQLite's own order under the collation BINARY of a UTF-8 file: null, numbers, text by its bytes, blobs. */
export function compareValues(a: Value, b: Value): number {
  const ranks = rank(a) - rank(b);
  if (ranks !== 0) return ranks;
  if (typeof a === "string" && typeof b === "string") return a === b ? 0 : Buffer.compare(Buffer.from(a), Buffer.from(b));
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Buffer.compare(a, b);
  if (a === null || b === null) return 0;
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Equal also in storage class: 1 and 1.0 are not. */
export function sameValue(a: Value, b: Value): boolean {
  return a === b || (a instanceof Uint8Array && b instanceof Uint8Array && Buffer.compare(a, b) === 0);
}

/** Lossless: reals keep their point, blobs are `\x` and hex digits. */
export function textOf(value: Value): string | null {
  if (value === null) return null;
  if (value instanceof Uint8Array) return `\\x${Buffer.from(value).toString("hex")}`;
  if (typeof value === "number") return Number.isInteger(value) && Math.abs(value) < 1e15 ? `${value}.0` : String(value);
  return String(value);
}
