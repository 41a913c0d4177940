/**
 * The export of rows written since: what was set aside compared with the snapshot it is measured against. It begins as soon as the cut-over has
 * set the data aside, while the components start and are verified; nothing waits for it but the record.
 */
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Site } from "../config/site.ts";
import { manifestPath } from "../databases/postgres/export-file.ts";
import { baseSnapshot } from "./at-risk.ts";
import { engineOf, type ExportFile } from "../databases/engine.ts";
import type { Snapshot } from "../config/record.ts";
import type { DataAction, Lineage } from "../config/plan.ts";
import type { Run } from "./run.ts";

export function exportFolder(site: Pick<Site, "home">, runId: string, database: string): string {
  return join(site.home, "exports", runId, database);
}

/** Whether the export of a run came to its end. There is none of data that could not be read or has no snapshot to be compared with. */
export function isExported(folder: string, runId: string): boolean {
  return existsSync(manifestPath(folder, runId));
}

/** Exports under way in this process; null: it did not come to an end, and the record makes it again. */
const begun = new Map<string, Promise<ExportFile[] | null>>();

function keyOf(run: Run, database: string): string {
  return `${run.site.home} ${run.epoch} ${database}`;
}

/** Begins the export and comes back at once. */
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

/** Enters files into the catalogue. @returns of each what is recorded: an engine may tell more */
export async function enterExports(run: Run, database: string, found: readonly ExportFile[]): Promise<ExportFile[]> {
  const files = found.map(({ path, sha256, rows }) => ({ path, sha256, rows }));
  for (const file of files) await run.control.addExport(run.epoch, database, file);
  return files;
}

async function exportRows(run: Run, database: string, action: DataAction): Promise<ExportFile[]> {
  const quarantine = (await run.control.catalogued()).find(
    (entry) => entry.role === "quarantine" && entry.database === database && entry.epoch === run.epoch,
  );
  if (quarantine === undefined) return [];
  const snapshot = await exportBase(run, database, action, quarantine.lineage);
  if (snapshot === null) return [];
  const { folder, runId } = await exportPlace(run, database);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  return (await engineOf(run.definition, database)).exportSince(run, quarantine, snapshot, folder, runId);
}

/** Where the export of the run's crossing lies: the run that began it gave it its name. */
export async function exportPlace(run: Run, database: string): Promise<{ folder: string; runId: string }> {
  const runId = (await run.control.crossing(run.epoch))?.runId ?? run.runId;
  return { folder: exportFolder(run.site, runId, database), runId };
}

/** What "since" is measured against: the snapshot that is restored, or, for an undo, the one that what is set aside descends from. Null: none. */
export async function exportBase(run: Run, database: string, action: DataAction, setAside: Lineage): Promise<Snapshot | null> {
  if (action.kind === "restore") return baseSnapshot(run, database, action);
  if (setAside.snapshot === null) return null;
  const { name, generation } = setAside.snapshot;
  return baseSnapshot(run, database, { kind: "restore", snapshot: name, generation, again: 0 });
}
