/** Puts rows of an export back into the live file where its older schema can hold them. */
import type { DatabaseSync } from "node:sqlite";
import { ExportDamagedError } from "../shared/export-errors.ts";
import { manifestPath } from "../shared/export-file.ts";
import { type Sql } from "../shared/reapply/decide.ts";
import { notHeldOf, withRows, type NotHeld, type ReapplyCounts } from "../shared/reapply/result.ts";
import { all, first, run } from "./database.ts";
import { quote } from "../shared/identifiers.ts";
import { readExport } from "./export.ts";
import { withoutTriggers } from "./reapply-quiet.ts";
import { contentOf, stage, type Staged } from "./reapply-stage.ts";
import { Columns, readLiveSchema } from "./reapply-target.ts";
import { writeAll } from "./reapply-write.ts";
import { resumeSequences } from "./sequences.ts";
import { outcomeOf, writeDecided } from "../shared/reapply/write.ts";

export interface ReapplyOptions {
  /** Session in the live file, not in a transaction; nobody else has one. */
  live: DatabaseSync;
  /** Where the export of `runId` is. */
  folder: string;
  runId: string;
  /** Runs when everything is done and nothing is kept yet. */
  beforeCommit?: () => Promise<void>;
}

export interface ReapplyResult {
  tables: Record<string, ReapplyCounts>;
  /** JSON Lines beside the export, a `ReapplyConflict` each: rows that are left as they are in the live file. Null: none. */
  conflictFile: string | null;
  notHeld: NotHeld;
}

/**
 * Afterwards the live data holds what was exported: rows are written a statement a table, in one transaction, without the file's triggers (what they did is
 * in the export) and with every foreign key checked, also where the system itself does not switch them on. What clashes with the live data is left
 * out and reported. A second run finds the rows unchanged.
 * @throws ExportDamagedError when the export is not whole. @throws TriggersLostError. Any error puts nothing back.
 */
export async function reapply({ live, folder, runId, beforeCommit }: ReapplyOptions): Promise<ReapplyResult> {
  const manifest = await readExport(folder, runId);
  if (manifest === null)
    throw new ExportDamagedError(runId, manifestPath(folder, runId), "there is no manifest, so the export is not complete");
  const files = manifest.files.filter(({ kind }) => kind === "jsonl");
  const rows = withRows(manifest.tables, files);
  const checks = first<{ foreign_keys: number }>(live, "PRAGMA foreign_keys")?.foreign_keys === 1;
  const columns = new Columns();
  const sql = sqlOf(live);
  const staged: Staged[] = [];
  // Only outside a transaction can they be switched. No key acts or is asked row by row: all of them are looked at before anything is written.
  live.exec("PRAGMA foreign_keys = OFF; BEGIN IMMEDIATE");
  try {
    const { targets, order, references, without } = readLiveSchema(live, rows.exported);
    await withoutTriggers(live, order, async () => {
      for (const [number, name] of order.entries())
        staged.push(await stage(live, columns, targets.get(name)!, files.find(({ table }) => table === name)!.path, number));
      await writeDecided({ sql, staged, references, writeAll: () => writeAll(live, staged) });
    });
    const { tables, conflictFile } = await outcomeOf(sql, staged, folder, runId);
    await beforeCommit?.();
    for (const table of staged) live.exec(`DROP TABLE ${table.staged}`);
    resumeSequences(live, manifest.sequences ?? {});
    live.exec("COMMIT");
    return { tables, conflictFile, notHeld: notHeldOf(rows, without, targets.values()) };
  } catch (error) {
    if (live.isTransaction) live.exec("ROLLBACK");
    throw error;
  } finally {
    columns.close();
    if (checks) live.exec("PRAGMA foreign_keys = ON");
  }
}

function sqlOf(live: DatabaseSync): Sql {
  return {
    run: (text, values) => Promise.resolve(run(live, text, values)),
    all: <Row>(text: string, values?: readonly unknown[]) => Promise.resolve(all<Row>(live, text, values)),
    textOf: contentOf,
    among: (line, parameter) => `${line} IN (SELECT value FROM json_each(${parameter}))`,
    index: (staged, columns) => {
      const name = quote(`${staged} by ${columns.join(", ")}`);
      live.exec(`CREATE INDEX IF NOT EXISTS temp.${name} ON ${staged.replace("temp.", "")} (${columns.join(", ")})`);
      return Promise.resolve();
    },
  };
}
