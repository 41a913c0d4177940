/** Names of databases and variables. */
import { createHash } from "node:crypto";

/** PostgreSQL cuts longer names silently, so two could become equal. */
export const NAME_BYTES = 63;

/** `base` + `suffix`; if that is too long, a shortened base that stays unique. */
export function derivedName(base: string, suffix: string): string {
  if (Buffer.byteLength(base + suffix) <= NAME_BYTES) return base + suffix;
  const mark = `_${createHash("sha256").update(base).digest("hex").slice(0, 8)}`;
  const room = NAME_BYTES - Buffer.byteLength(mark + suffix);
  if (room < 1) throw new RangeError(`the suffix "${suffix}" is too long for the name of a database`);
  let short = "";
  for (const character of base) {
    if (Buffer.byteLength(short + character) > room) break;
    short += character;
  }
  return short + mark + suffix;
}

/** The name a database has until it is complete. */
export function makingName(name: string): string {
  return derivedName(name, "__making");
}

/** Name of the state database beside a live one. */
export function stateDatabaseName(live: string): string {
  return `${live.slice(0, 55)}_backout`;
}

/** The environment variable of a secret. */
export function secretVariable(name: string): string {
  return `BACKOUT_SECRET_${variablePart(name)}`;
}

/** A name as part of an environment variable's. */
export function variablePart(name: string): string {
  return name.toUpperCase().replaceAll(/[^A-Z0-9]/g, "_");
}
