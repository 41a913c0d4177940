/** Where a snapshot lies, as part of a name of a database, folder or file. Pure. */
import { createHash } from "node:crypto";

const READABLE = 24;

/**
 * Short enough for every name of a database, and another one for every other name and generation: releases may differ in a dot, a plus or the case
 * of a letter alone, which neither databases nor file systems are sure to tell apart.
 */
export function snapshotPlace(name: string, generation: number): string {
  const plain = name.toLowerCase().replaceAll(/[^a-z0-9]+/g, "_");
  if (plain.length <= READABLE && plain.replaceAll("_", "-") === name) return `${plain}_${generation}`;
  return `${plain.slice(0, READABLE)}_${createHash("sha256").update(name).digest("hex").slice(0, 8)}_${generation}`;
}
