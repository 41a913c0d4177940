/**
 * The export of rows written since: what was set aside compared with the snapshot it is measured against. It begins as soon as the cut-over has
 * set the data aside, while the services start and are verified; nothing waits for it but the record.
 */
import { existsSync, mkdirSync } from "node:fs";
import { manifestPath } from "../databases/shared/export-file.ts";
import type { ExportFile } from "../config/journal.ts";
import { dataOf } from "../databases/registry.ts";
import type { DataAction } from "../config/plan.ts";
import type { Run } from "../config/run.ts";
import { bringQuarantine, bringSnapshot } from "./artefacts.ts";
import { exportPlace, exportBase } from "../databases/shared/export-place.ts";

/** Whether the export of a run came to its end. There is none of data that could not be read or has no snapshot to be compared with. */
export function isExported(folder: string, runId: string): boolean {
  return existsSync(manifestPath(folder, runId));
}

/** Exports under way in this process; null: it did not come to an end, and the record makes it again. */
const begun = new Map<string, Promise<ExportFile[] | null>>();

function keyOf(run: Run, database: string): string {
  return `${run.site.home} ${run.epoch} ${database}`;
}

/** Begins the export and returns at once. */
export function beginExport(run: Run, database: string, action: DataAction): void {
  begun.set(
    keyOf(run, database),
    exportRows(run, database, action).catch(() => null),
  );
}

/** The files of an export that was begun, or of one made now; they are in the catalogue. */
export async function exportsOf(run: Run, database: string, action: DataAction): Promise<ExportFile[]> {
  const early = begun.get(keyOf(run, database));
  begun.delete(keyOf(run, database));
  return enterExports(run, database, (await early) ?? (await exportRows(run, database, action)));
}

/** Enters files into the catalogue. @returns what is recorded of each: an engine may return more */
export async function enterExports(run: Run, database: string, found: readonly ExportFile[]): Promise<ExportFile[]> {
  const files = found.map(({ path, sha256, rows }) => ({ path, sha256, rows }));
  for (const file of files) await run.state.addExport(run.epoch, database, file);
  return files;
}

async function exportRows(run: Run, database: string, action: DataAction): Promise<ExportFile[]> {
  const quarantine = (await run.state.catalogued()).find(
    (entry) => entry.role === "quarantine" && entry.database === database && entry.epoch === run.epoch,
  );
  if (quarantine === undefined) return [];
  const snapshot = await exportBase(run, database, action, quarantine.lineage);
  if (snapshot === null) {
    run.log("info", `${database}: no export: it was restored from no snapshot to compare it with; ${quarantine.name} keeps all of it`);
    return [];
  }
  const say = (line: string): void => run.log("info", line);
  await bringSnapshot(run, snapshot, say);
  await bringQuarantine(run, quarantine.name, say);
  const { folder, runId } = await exportPlace(run, database);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  return (await dataOf(run, database)).exportSince(run, quarantine, snapshot, folder, runId);
}
