/** Evidence that any system may want captured. */
import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import type { CaptureDefinition, EvidenceContext } from "../../config/system/evidence.ts";
import type { SqlSession } from "../../config/system/sql-session.ts";
import { WholeFile } from "../../databases/shared/export-file.ts";
import { csvRecord } from "../../databases/shared/export-format.ts";
import { qualified, quote } from "../../databases/shared/identifiers.ts";

type Capture = CaptureDefinition["capture"];
type Moment = CaptureDefinition["moment"];

/** What is written into a file at a moment of the rollback. */
export const capture = (moment: Moment, id: string, file: string, title: string, work: Capture): CaptureDefinition => ({
  ...{ id, title, moment, file },
  capture: work,
});

export const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;

/** What is known about the run at its end, as JSON. */
export const facts = (id: string, file: string, title: string, of: (facts: EvidenceContext["facts"]) => unknown): CaptureDefinition =>
  capture("end", id, file, title, (context) => Promise.resolve(json(of(context.facts))));

/** The text, with its hash in a file beside it. */
export function hashed(context: EvidenceContext, file: string, text: string): string {
  const sha256 = createHash("sha256").update(text).digest("hex");
  writeFileSync(context.path(`${file}.sha256`), `${sha256}  ${file}\n`, { mode: 0o600 });
  return text;
}

/** @throws for an answer that is not ok */
export async function bodyOf(response: Awaited<ReturnType<EvidenceContext["get"]>>): Promise<string> {
  const text = await response.text();
  if (!response.ok) throw new Error(`it answered ${response.status}: ${text.slice(0, 160).trim()}`);
  return text;
}

/** A service's error log, before it stops: the next start begins a new one. */
export const errorLogCapture = (service: string, file: string, title: string): CaptureDefinition =>
  capture("protect", "error-log", file, title, async (context) => {
    const lines = await context.errorLog(service, 1000);
    return lines.length === 0 ? "(none)\n" : `${lines.join("\n")}\n`;
  });

export const executionLogCapture = (file: string): CaptureDefinition =>
  capture("end", "execution-log", file, "every step with its time", ({ facts: { steps } }) => {
    const told = steps.map(({ at, phase, step, status, durationMs }) =>
      [at, phase, status, step, durationMs === null ? "" : `${Math.round(durationMs)} ms`].join("\t").trimEnd(),
    );
    return Promise.resolve(`${told.join("\n")}\n`);
  });

/** The hash of the file that a restore set aside. */
export const setAsideCapture = (database: string, file: string): CaptureDefinition =>
  capture("end", "set-aside", file, "the database that was set aside, by its hash", async (context) => {
    const aside = await context.quarantineFile(database);
    if (aside === null) return "nothing was set aside: the data stayed or was repaired in place\n";
    return `${(await context.hash(aside)) ?? "missing"}  ${aside}\n`;
  });

/** A table with ids as CSV, when nobody writes any more and the database is not restored yet. One that is not there leaves no file. */
export const tableCapture = (database: string, table: string): CaptureDefinition =>
  capture("fenced", `${table}-csv`, `${table}_{stamp}.csv`, `${table} as CSV, before its table is dropped`, async (context, file) => {
    await writeTable(await context.session(database), table, context.path(file));
    return null;
  });

const PAGE = 2000;

/** In the order of its ids, a page at a time. */
async function writeTable(session: SqlSession, table: string, path: string): Promise<void> {
  const columns = await session.all<{ name: string }>(
    "SELECT attname AS name FROM pg_attribute WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
    [qualified(table)],
  );
  if (columns.length === 0) return;
  const names = columns.map(({ name }) => name);
  const list = names.map((name) => `${quote(name)}::text AS ${quote(name)}`).join(", ");
  const file = await WholeFile.begin(path);
  try {
    await file.write(csvRecord(names));
    // Below every id of the kind bigint.
    for (let last = String(-(2n ** 63n)); ;) {
      const rows = await session.all<Record<string, string | null>>(
        `SELECT ${list} FROM ${qualified(table)} t WHERE t.id > $1::bigint ORDER BY t.id LIMIT ${PAGE}`,
        [last],
      );
      for (const row of rows) await file.write(csvRecord(names.map((name) => row[name] ?? null)));
      if (rows.length < PAGE) break;
      last = rows.at(-1)!["id"]!;
    }
    await file.commit();
  } catch (error) {
    await file.discard();
    throw error;
  }
}
