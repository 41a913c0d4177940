/** Keeps rows written since a snapshot as files: complete, verified by reading them back, and fit for putting them back in. */
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Client } from "pg";
import { comparePlanned, inSnapshots, type TableComparison } from "./comparison.ts";
import { type SequenceMoves } from "../shared/sequences.ts";
import { tooLargeIn, type NotCompared } from "../shared/not-compared.ts";
import { type ComparedRows } from "../shared/comparison.ts";
import { planEverything } from "./comparison-beyond.ts";
import { planTables, readShapes, type TablePlan } from "./comparison-shape.ts";
import { ExportDamagedError, ExportIncompleteError, ExportRunIdError, ExportTakenError } from "../shared/export-errors.ts";
import { countedFiles, manifestPath, stemOf, verifyFiles, WholeFile, type ExportedFile } from "../shared/export-file.ts";
import { csvHeader, csvRow, jsonLine } from "../shared/export-format.ts";

export { ExportDamagedError, ExportIncompleteError, ExportRunIdError, ExportTakenError };

export interface ExportOptions {
  /** Session in the pristine snapshot. */
  base: Client;
  /** Session in the quarantine or the live database. Neither session may be in a transaction. */
  current: Client;
  /** Default: everything but the ledger of migrations. Tables that neither side has are left out. */
  tables?: readonly string[];
  /** Schemas that a restore does not reach. */
  leftAlone?: readonly string[];
  /** Made when absent, readable by its owner only. */
  folder: string;
  /** Begins every file name: letters, digits, `.`, `_`, `-`. */
  runId: string;
}

export interface ExportedTable
  extends ComparedRows, Pick<TableComparison, "newColumns" | "droppedColumns" | "renamedColumns" | "tooLarge"> {
  /** Columns of the exported rows with their types. */
  columns: { name: string; type: string }[];
}

export interface ExportManifest {
  format: 1;
  runId: string;
  /** ISO 8601. */
  at: string;
  base: { database: string; oid: number };
  current: { database: string; oid: number };
  /** Tables that were asked for; null for all. */
  requested: string[] | null;
  tables: Record<string, ExportedTable>;
  /** What is in no file, by name; absent in exports from before. */
  notCompared?: NotCompared[];
  /** Sequences that moved, with their last values; absent in exports from before. */
  sequences?: SequenceMoves;
  /** Paths relative to the manifest's folder. */
  files: ExportedFile[];
}

/**
 * Writes every difference per table as JSON Lines (`{op, key, row, before}`, values as the server's text) and the inserted and updated rows
 * as CSV, then reads all of it back and counts again. The manifest is written last: an export without one is not complete and is made again.
 * A complete export of the same run id is verified and returned. Tables without a difference have no file.
 * @throws ExportIncompleteError when a file holds other counts than were found. @throws ExportDamagedError when an existing export's files
 * changed. @throws ExportTakenError when the run id is taken by other databases or tables. @throws ExportRunIdError
 * @example const files = await exportDifferences({ base, current, folder: "evidence", runId: "r-20260101-1" });
 */
export async function exportDifferences(options: ExportOptions): Promise<ExportedFile[]> {
  const { base, current, tables, folder, runId } = options;
  const path = manifestPath(folder, runId);
  const databases = { base: await databaseOf(base), current: await databaseOf(current) };
  const existing = await readManifest(folder, runId);
  if (existing !== null) {
    assertSame(existing, databases, tables);
    return verifyExport(folder, runId);
  }
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const manifest: ExportManifest = { format: 1, runId, at: new Date().toISOString(), ...databases, requested: null, tables: {}, files: [] };
  if (tables !== undefined) manifest.requested = [...tables];
  await inSnapshots(base, current, async () => {
    const everything = await planEverything(base, current, options.leftAlone);
    const plans = tables === undefined ? everything.plans : planTables(await readShapes(base), await readShapes(current), tables).plans;
    const exported: [string, ExportedTable][] = [];
    for (const plan of plans) {
      const { table, files } = await exportTable(options, plan);
      exported.push([plan.name, table]);
      manifest.files.push(...files);
    }
    const notCompared = [...everything.notCompared, ...tooLargeIn(exported)];
    Object.assign(manifest, { tables: Object.fromEntries(exported), notCompared, sequences: everything.sequences });
  });
  const file = await WholeFile.begin(path);
  await file.write(`${JSON.stringify(manifest, null, 2)}\n`);
  await file.commit();
  return absolute(folder, manifest);
}

/** Null where the run has no complete export. */
export async function readManifest(folder: string, runId: string): Promise<ExportManifest | null> {
  try {
    return JSON.parse(await readFile(manifestPath(folder, runId), "utf8")) as ExportManifest;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    if (error instanceof SyntaxError) throw new ExportDamagedError(runId, manifestPath(folder, runId), error.message);
    throw error;
  }
}

/** Reads every file of a complete export again. @throws ExportDamagedError for the first that is missing or changed. */
export async function verifyExport(folder: string, runId: string): Promise<ExportedFile[]> {
  const manifest = await readManifest(folder, runId);
  if (manifest === null)
    throw new ExportDamagedError(runId, manifestPath(folder, runId), "there is no manifest, so the export is not complete");
  const files = absolute(folder, manifest);
  await verifyFiles(runId, files);
  return files;
}

function absolute(folder: string, manifest: ExportManifest): ExportedFile[] {
  return manifest.files.map((file) => ({ ...file, path: join(folder, file.path) }));
}

function assertSame(manifest: ExportManifest, databases: Pick<ExportManifest, "base" | "current">, tables?: readonly string[]): void {
  for (const side of ["base", "current"] as const) {
    // A database keeps its oid when it is renamed into the quarantine.
    if (manifest[side].oid !== databases[side].oid)
      throw new ExportTakenError(manifest.runId, `it has "${manifest[side].database}" as its ${side} database`);
  }
  if (manifest.requested === null) return;
  if (tables === undefined) throw new ExportTakenError(manifest.runId, `it has only ${manifest.requested.join(", ")}`);
  const missing = tables.filter((table) => !manifest.requested!.includes(table));
  if (missing.length > 0) throw new ExportTakenError(manifest.runId, `it was made without ${missing.join(", ")}`);
}

async function databaseOf(client: Client): Promise<{ database: string; oid: number }> {
  const { rows } = await client.query<{ database: string; oid: number }>(
    "SELECT datname AS database, oid FROM pg_database WHERE datname = current_database()",
  );
  return rows[0]!;
}

async function exportTable(options: ExportOptions, plan: TablePlan): Promise<{ table: ExportedTable; files: ExportedFile[] }> {
  const columns = (plan.current ?? plan.base)!.columns.map(({ name, type }) => ({ name, type }));
  const names = columns.map(({ name }) => name);
  const stem = stemOf(options.runId, plan.name);
  const jsonl = await WholeFile.begin(join(options.folder, `${stem}.jsonl`));
  const csv = await WholeFile.begin(join(options.folder, `${stem}.csv`));
  try {
    await csv.write(csvHeader(names));
    const found = await comparePlanned(options.base, options.current, plan, async (difference) => {
      await jsonl.write(jsonLine(difference));
      if (difference.row !== null) await csv.write(csvRow(difference.op, names, difference.row));
    });
    const { rows: _counted, retypedColumns: _retyped, ...told } = found;
    const table = { ...told, columns };
    const { inserted, updated, deleted } = table;
    if (inserted + updated + deleted === 0) return { table, files: [] };
    await jsonl.commit();
    await csv.commit();
    return { table, files: await countedFiles(options.folder, options.runId, plan.name, table) };
  } finally {
    await Promise.allSettled([jsonl.discard(), csv.discard()]);
  }
}
