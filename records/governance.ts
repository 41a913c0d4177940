/** The governance log: JSON Lines, each line chained to the one before by its hash, so that a change or a gap is seen. */
import { createHash } from "node:crypto";
import { appendFileSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { dirname } from "node:path";

export interface GovernanceEntry {
  [key: string]: unknown;
  runId: string;
  event: string;
}

/** Appends one entry; the same run, epoch and event a second time is not written again. Returns the line's hash. */
export function appendGovernance(file: string, entry: GovernanceEntry): string {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const lines = existsSync(file) ? readFileSync(file, "utf8").split("\n").filter(Boolean) : [];
  const same = lines.find((line) => {
    const known = JSON.parse(line) as GovernanceEntry;
    return known.runId === entry.runId && known.event === entry.event && known["epoch"] === entry["epoch"];
  });
  if (same !== undefined) return (JSON.parse(same) as { hash: string }).hash;
  const previous = lines.length === 0 ? "" : (JSON.parse(lines.at(-1)!) as { hash: string }).hash;
  const body = { at: new Date().toISOString(), ...entry, previous };
  const hash = createHash("sha256").update(JSON.stringify(body)).digest("hex");
  appendFileSync(file, `${JSON.stringify({ ...body, hash })}\n`, { mode: 0o600 });
  return hash;
}

/** Line numbers (from 1) at which the chain is broken. */
export function brokenLinks(file: string): number[] {
  const lines = existsSync(file) ? readFileSync(file, "utf8").split("\n").filter(Boolean) : [];
  let previous = "";
  return lines.flatMap((line, index) => {
    const { hash, ...body } = JSON.parse(line) as { hash: string; previous: string };
    const broken = body.previous !== previous || createHash("sha256").update(JSON.stringify(body)).digest("hex") !== hash;
    previous = hash;
    return broken ? [index + 1] : [];
  });
}
