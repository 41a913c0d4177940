/** Values as SQLite keeps them: five storage classes, one order, one text. */

/** Text whose bytes are no UTF-8: a string would hold something else. */
export class InvalidText {
  readonly bytes: Uint8Array;
  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }
}

/** Integers are bigints, so that none is rounded. */
export type Value = null | bigint | number | string | InvalidText | Uint8Array;

function rank(value: Value): number {
  if (value === null) return 0;
  if (value instanceof Uint8Array) return 3;
  return typeof value === "string" || value instanceof InvalidText ? 2 : 1;
}

function bytesOf(text: string | InvalidText): Uint8Array {
  return typeof text === "string" ? Buffer.from(text) : text.bytes;
}

/** SQLite's own order under the collation BINARY of a UTF-8 file: null, numbers, text by its bytes, blobs. */
export function compareValues(a: Value, b: Value): number {
  const ranks = rank(a) - rank(b);
  if (ranks !== 0) return ranks;
  if (typeof a === "string" || a instanceof InvalidText)
    return a === b ? 0 : Buffer.compare(bytesOf(a), bytesOf(b as string | InvalidText));
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Buffer.compare(a, b);
  if (a === null || b === null) return 0;
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Equal also in storage class: 1 and 1.0 are not. */
export function sameValue(a: Value, b: Value): boolean {
  if (a instanceof InvalidText) return b instanceof InvalidText && Buffer.compare(a.bytes, b.bytes) === 0;
  return a === b || (a instanceof Uint8Array && b instanceof Uint8Array && Buffer.compare(a, b) === 0);
}

/** Reals keep their point, blobs and invalid text are `\x` and hex digits: lossless together with the column's type and what `classToNote` says. */
export function textOf(value: Value): string | null {
  if (value === null) return null;
  if (value instanceof InvalidText) return textOf(value.bytes);
  if (value instanceof Uint8Array) return `\\x${Buffer.from(value).toString("hex")}`;
  if (typeof value === "number") return Number.isInteger(value) && Math.abs(value) < 1e15 ? `${value}.0` : String(value);
  return String(value);
}

export type StorageClass = "integer" | "real" | "text" | "invalid text" | "blob";

export type Affinity = "text" | "real" | "numeric" | "none";

/** What a column makes of values, by SQLite's rules for its declared type. INTEGER and NUMERIC make the same of them. */
export function affinityOf(type: string): Affinity {
  if (/INT/i.test(type)) return "numeric";
  if (/CHAR|CLOB|TEXT/i.test(type)) return "text";
  if (/BLOB/i.test(type) || type === "" || /^ANY$/i.test(type)) return "none";
  return /REAL|FLOA|DOUB/i.test(type) ? "real" : "numeric";
}

export function classNameOf(value: Value): StorageClass | "null" {
  return value === null ? "null" : classOf(value);
}

function classOf(value: Exclude<Value, null>): StorageClass {
  if (value instanceof Uint8Array) return "blob";
  if (value instanceof InvalidText) return "invalid text";
  return typeof value === "bigint" ? "integer" : typeof value === "number" ? "real" : "text";
}

/** The value of a text by `textOf`: of the class that was noted, else of the one that a column of this type would have given it. */
export function valueOf(text: string | null, type: string, noted?: StorageClass): Value {
  if (text === null) return null;
  switch (noted ?? impliedClass(text, affinityOf(type))) {
    case "integer":
      return BigInt(text);
    case "real":
      return Number(text);
    case "blob":
      return Buffer.from(text.slice(2), "hex");
    case "invalid text":
      return new InvalidText(Buffer.from(text.slice(2), "hex"));
    case "text":
      return text;
  }
}

function impliedClass(text: string, affinity: Affinity): StorageClass {
  if (affinity === "none" || affinity === "text") return "text";
  if (affinity === "numeric" && /^-?\d{1,18}$/.test(text)) return "integer";
  return /^-?\d+(\.\d+)?(e[+-]?\d+)?$/.test(text) ? "real" : "text";
}

/** The class of a value whose text alone, in a column of this type, would be taken for another; undefined for most. */
export function classToNote(value: Value, type: string): StorageClass | undefined {
  return value === null || sameValue(valueOf(textOf(value), type), value) ? undefined : classOf(value);
}

/** A text that no other value has, storage class included. */
export function signed(value: Value): string {
  const text = textOf(value);
  return text === null ? "null" : `${classNameOf(value)}${text.length}:${text}`;
}
