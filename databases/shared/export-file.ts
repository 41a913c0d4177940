/** Files that are either whole or absent, readable by their owner only. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { open, rename, rm, type FileHandle } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { ComparedRows } from "./comparison.ts";

import { ExportDamagedError, ExportIncompleteError, ExportRunIdError } from "./export-errors.ts";
import { CsvCounter, linesOf, parseJsonLine } from "./export-format.ts";

const FLUSH_CHARACTERS = 256 * 1024;

/** Collects text in a file of another name; `commit` makes it durable and gives it its own. */
export class WholeFile {
  private readonly path: string;
  private readonly handle: FileHandle;
  private parts: string[] = [];
  private size = 0;

  private constructor(path: string, handle: FileHandle) {
    this.path = path;
    this.handle = handle;
  }

  static async begin(path: string): Promise<WholeFile> {
    const handle = await open(partial(path), "w", 0o600);
    // A file left by a killed run keeps the mode it had.
    await handle.chmod(0o600);
    return new WholeFile(path, handle);
  }

  async write(text: string): Promise<void> {
    this.parts.push(text);
    this.size += text.length;
    if (this.size >= FLUSH_CHARACTERS) await this.flush();
  }

  async commit(): Promise<void> {
    await this.flush();
    await this.handle.sync();
    await this.handle.close();
    await rename(partial(this.path), this.path);
    await syncFolder(dirname(this.path));
  }

  async discard(): Promise<void> {
    await this.handle.close().catch(() => undefined);
    await rm(partial(this.path), { force: true });
  }

  private async flush(): Promise<void> {
    const text = this.parts.join("");
    this.parts = [];
    this.size = 0;
    await this.handle.writeFile(text);
  }
}

function partial(path: string): string {
  return join(dirname(path), `.${basename(path)}.partial`);
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

export interface FileFacts {
  sha256: string;
  /** Lines of JSON, or records of CSV without the header. */
  rows: number;
  /** JSON Lines only. */
  ops: { insert: number; update: number; delete: number };
}

/** Reads a whole file back. @throws SyntaxError when a line of JSON is damaged. */
async function readFacts(path: string, kind: "jsonl" | "csv"): Promise<FileFacts> {
  const hash = createHash("sha256");
  const csv = new CsvCounter();
  const ops = { insert: 0, update: 0, delete: 0 };
  async function* hashed(): AsyncGenerator<Buffer> {
    for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) {
      hash.update(chunk);
      yield chunk;
    }
  }
  if (kind === "csv") for await (const chunk of hashed()) csv.add(chunk);
  else for await (const line of linesOf(hashed())) ops[parseJsonLine("", line).op]++;
  const rows = kind === "csv" ? csv.records - 1 : ops.insert + ops.update + ops.delete;
  return { sha256: hash.digest("hex"), rows, ops };
}

/** Written last: an export without it is not complete. @throws ExportRunIdError */
export function manifestPath(folder: string, runId: string): string {
  if (!/^[A-Za-z0-9][\w.-]*$/.test(runId)) throw new ExportRunIdError(runId);
  return join(folder, `${runId}.manifest.json`);
}

/** Names of an export's other files. */
const TAKEN = new Set(["manifest", "conflicts", "tables"]);

/**
 * What the names of a table's files begin with: the table's own name where that can only mean this table, on a file system that ignores capitals,
 * too, and else what can be read of it with a hash of the whole. Names of tables may hold anything, a slash included, and be too long for a file.
 */
export function stemOf(runId: string, table: string): string {
  if (/^[a-z0-9_][a-z0-9_.]{0,99}$/.test(table) && !TAKEN.has(table)) return `${runId}.${table}`;
  const hash = createHash("sha256").update(table).digest("hex").slice(0, 16);
  return `${runId}.${table.replaceAll(/[^A-Za-z0-9_.]+/g, "-").slice(0, 60)}~${hash}`;
}

/** Reads the two files of a table back and counts again; their paths are relative to `folder`. @throws ExportIncompleteError */
export async function countedFiles(
  folder: string,
  runId: string,
  table: string,
  found: Pick<ComparedRows, "inserted" | "updated" | "deleted">,
): Promise<ExportedFile[]> {
  const stem = stemOf(runId, table);
  const lines = await readFacts(join(folder, `${stem}.jsonl`), "jsonl");
  const records = await readFacts(join(folder, `${stem}.csv`), "csv");
  const same = lines.ops.insert === found.inserted && lines.ops.update === found.updated && lines.ops.delete === found.deleted;
  if (!same) throw new ExportIncompleteError(runId, table, found, lines.ops);
  if (records.rows !== found.inserted + found.updated) throw new ExportIncompleteError(runId, table, found, { records: records.rows });
  return [
    { path: `${stem}.jsonl`, sha256: lines.sha256, rows: lines.rows, table, kind: "jsonl" },
    { path: `${stem}.csv`, sha256: records.sha256, rows: records.rows, table, kind: "csv" },
  ];
}

/** Reads files of a complete export again. @throws ExportDamagedError for the first that is missing or changed. */
export async function verifyFiles(runId: string, files: readonly ExportedFile[]): Promise<void> {
  for (const { path, kind, sha256, rows } of files) {
    const facts = await readFacts(path, kind).catch((error: unknown) => {
      throw new ExportDamagedError(runId, path, error instanceof Error ? error.message : String(error));
    });
    if (facts.sha256 !== sha256) throw new ExportDamagedError(runId, path, `its sha256 is ${facts.sha256}, recorded is ${sha256}`);
    if (facts.rows !== rows) throw new ExportDamagedError(runId, path, `it holds ${facts.rows} rows, recorded are ${rows}`);
  }
}

export interface ExportedFile {
  /** Absolute if `folder` is. */
  path: string;
  sha256: string;
  /** Differences in JSON Lines; inserted and updated rows in CSV. */
  rows: number;
  table: string;
  kind: "jsonl" | "csv";
}
