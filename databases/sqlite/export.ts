/** Keeps rows written since a snapshot as files, each read back and counted again; the manifest is written last. */
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { movedSequences, type SequenceMoves } from "../shared/sequences.ts";
import { tooLargeIn, type NotCompared } from "../shared/not-compared.ts";
import { type ExportedFile, countedFiles, manifestPath, stemOf, verifyFiles, WholeFile } from "../shared/export-file.ts";
import { csvHeader, csvRow, jsonLine } from "../shared/export-format.ts";
import { comparePlanned, inSnapshots, planEverything, type TableComparison } from "./comparison.ts";
import { isDamaged } from "./database.ts";
import { readSequences } from "./sequences.ts";
import type { TablePlan } from "./shape.ts";

export interface ExportManifest {
  format: 1;
  engine: "sqlite";
  runId: string;
  at: string;
  tables: Record<string, TableComparison & { columns: { name: string; type: string }[] }>;
  /** What is in no file, by name; absent in exports from before. */
  notCompared?: NotCompared[];
  /** Last numbers that tables with AUTOINCREMENT gave, of those that moved; absent in exports from before. */
  sequences?: SequenceMoves;
  /** Tables that could not be read to their end, and why: their file is damaged. */
  unreadable: Record<string, string>;
  /** Paths relative to the manifest's folder. */
  files: ExportedFile[];
}

export interface ExportRequest {
  base: DatabaseSync;
  current: DatabaseSync;
  folder: string;
  runId: string;
}

/**
 * Every difference per table as JSON Lines (`{op, key, row, before}`) and the inserted and updated rows as CSV. A complete export of the same run is
 * verified and returned. @throws ExportIncompleteError when a file holds other counts than were found, ExportDamagedError when one changed
 */
export async function exportDifferences(request: ExportRequest): Promise<ExportManifest> {
  const { base, current, folder, runId } = request;
  const path = manifestPath(folder, runId);
  const existing = await readExport(folder, runId);
  if (existing !== null) return existing;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const manifest: ExportManifest = {
    format: 1,
    engine: "sqlite",
    runId,
    at: new Date().toISOString(),
    tables: Object.create(null) as ExportManifest["tables"],
    unreadable: {},
    files: [],
  };
  await inSnapshots(base, current, async () => {
    const { plans, notCompared } = await planEverything(base, current);
    manifest.notCompared = notCompared;
    for (const plan of plans) await exportTable(request, plan, manifest);
    try {
      manifest.sequences = movedSequences(readSequences(base), readSequences(current)).moves;
    } catch (error) {
      if (!isDamaged(error)) throw error;
      manifest.unreadable["sqlite_sequence"] = (error as Error).message;
    }
    manifest.notCompared.push(...tooLargeIn(Object.entries(manifest.tables)));
  });
  const file = await WholeFile.begin(path);
  await file.write(`${JSON.stringify(manifest, null, 2)}\n`);
  await file.commit();
  return absolute(manifest, folder);
}

/** A complete export, every file of it read again; null where the run has none. @throws ExportDamagedError */
export async function readExport(folder: string, runId: string): Promise<ExportManifest | null> {
  const existing = await readFile(manifestPath(folder, runId), "utf8").catch(() => null);
  return existing === null ? null : verified(JSON.parse(existing) as ExportManifest, folder);
}

function absolute(manifest: ExportManifest, folder: string): ExportManifest {
  return { ...manifest, files: manifest.files.map((file) => ({ ...file, path: join(folder, file.path) })) };
}

async function verified(manifest: ExportManifest, folder: string): Promise<ExportManifest> {
  const whole = absolute(manifest, folder);
  await verifyFiles(manifest.runId, whole.files);
  return whole;
}

async function exportTable({ base, current, folder, runId }: ExportRequest, plan: TablePlan, manifest: ExportManifest): Promise<void> {
  const columns = (plan.current ?? plan.base)!.columns.map(({ name, type }) => ({ name, type }));
  const names = columns.map(({ name }) => name);
  const stem = stemOf(runId, plan.name);
  const [jsonl, csv] = [await WholeFile.begin(join(folder, `${stem}.jsonl`)), await WholeFile.begin(join(folder, `${stem}.csv`))];
  const found = { inserted: 0, updated: 0, deleted: 0 };
  try {
    await csv.write(csvHeader(names));
    const { by, key, droppedColumns, renamedColumns } = plan;
    let table: TableComparison = { ...found, by, key, newColumns: plan.added.map(({ name }) => name), droppedColumns, renamedColumns };
    try {
      table = await comparePlanned(base, current, plan, async (difference) => {
        found[difference.op === "insert" ? "inserted" : difference.op === "update" ? "updated" : "deleted"]++;
        await jsonl.write(jsonLine(difference));
        if (difference.row !== null) await csv.write(csvRow(difference.op, names, difference.row));
      });
    } catch (error) {
      // What could be read is kept; the quarantine has the rest.
      if (!isDamaged(error)) throw error;
      manifest.unreadable[plan.name] = (error as Error).message;
      table = { ...table, ...found };
    }
    manifest.tables[plan.name] = { ...table, columns };
    if (table.inserted + table.updated + table.deleted === 0) return;
    await jsonl.commit();
    await csv.commit();
    manifest.files.push(...(await countedFiles(folder, runId, plan.name, table)));
  } finally {
    await Promise.allSettled([jsonl.discard(), csv.discard()]);
  }
}
