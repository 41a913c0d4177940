/**
 * The audit log: JSON Lines, each line chained to the one before by its hash, so a change or a gap is detected. The state keeps its length
 * after the last write, so lines missing at its end are detected too.
 */
import { createHash } from "node:crypto";
import { appendFileSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { dirname } from "node:path";

export interface AuditLogEntry {
  [key: string]: unknown;
  runId: string;
  event: string;
}

/** Appends one entry; a second entry of the same run, epoch and event is not written. Returns the line's hash. */
export function appendToAuditLog(file: string, entry: AuditLogEntry): string {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const text = textOf(file);
  const lines = linesOf(text);
  const same = lines.find(({ body }) => body?.runId === entry.runId && body.event === entry.event && body["epoch"] === entry["epoch"]);
  if (same !== undefined) return same.hash;
  const body = { at: new Date().toISOString(), ...entry, previous: lines.at(-1)?.hash ?? "" };
  const hash = sha256(JSON.stringify(body));
  const begin = text === "" || text.endsWith("\n") ? "" : "\n";
  appendFileSync(file, `${begin}${JSON.stringify({ ...body, hash })}\n`, { mode: 0o600 });
  return hash;
}

/** Lines of a log from one on, counted from 1, as they are written. */
export function linesFrom(file: string, first: number): string[] {
  return textOf(file)
    .split("\n")
    .filter(Boolean)
    .slice(first - 1);
}

/** What was appended to a log, without its chain. A line that a kill cut off is none. */
export function entriesOf(file: string): AuditLogEntry[] {
  return linesOf(textOf(file)).flatMap(({ body }) => {
    if (body === null) return [];
    const { previous: _, ...entry } = body;
    return [entry];
  });
}

/** Lines that were written elsewhere, as they are. */
export function addLines(file: string, lines: readonly string[]): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  appendFileSync(file, lines.map((line) => `${line}\n`).join(""), { mode: 0o600 });
}

/** Length of a log: number of lines, and hash of the last one. */
export interface ChainHead {
  lines: number;
  hash: string;
}

export function chainHead(file: string): ChainHead {
  const lines = linesOf(textOf(file));
  return { lines: lines.length, hash: lines.at(-1)?.hash ?? "" };
}

/**
 * Problems of a log, one sentence each; empty: none.
 * @param head its length after the last recorded write; null: unknown. It may be longer now.
 */
export function chainProblems(file: string, head: ChainHead | null): string[] {
  const lines = linesOf(textOf(file));
  const problems = brokenLinks(file).map((line) => `line ${line} was changed, or a line before it was added or removed`);
  if (head === null || head.lines === 0) return problems;
  if (lines.length < head.lines) return [...problems, `it has ${lines.length} lines and had ${head.lines}: lines at its end are missing`];
  const there = lines[head.lines - 1]!.hash === head.hash;
  return there || problems.length > 0 ? problems : [`line ${head.lines} differs from the one that was written`];
}

/** Line numbers (from 1) at which the chain is broken. */
export function brokenLinks(file: string): number[] {
  let previous = "";
  return linesOf(textOf(file)).flatMap(({ hash, body }, index) => {
    const broken = body === null || body.previous !== previous || sha256(JSON.stringify(body)) !== hash;
    previous = hash;
    return broken ? [index + 1] : [];
  });
}

function textOf(file: string): string {
  return existsSync(file) ? readFileSync(file, "utf8") : "";
}

interface Line {
  hash: string;
  /** Null if a kill cut the line off: the next one is chained to the rest of it. */
  body: (AuditLogEntry & { previous: string }) | null;
}

function linesOf(text: string): Line[] {
  return text
    .split("\n")
    .filter(Boolean)
    .map((line) => {
      try {
        const { hash, ...body } = JSON.parse(line) as { hash: string } & NonNullable<Line["body"]>;
        return { hash, body };
      } catch {
        return { hash: sha256(line), body: null };
      }
    });
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
