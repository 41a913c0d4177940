/** The witness's own look into databases and export files. */
import { readFileSync } from "node:fs";
import pg from "pg";
import { linesOf } from "./lines.ts";
import type { Memory } from "./memory.ts";
import type { Operation } from "./script.ts";

/** How a database is reached: a SQLite file by its path, or a database on a server. */
export type DatabaseAddress = FileAddress | ServerAddress;

export interface FileAddress {
  /** Absolute path. */
  file: string;
  /** What it is called in the judgement. */
  database: string;
}

/** A password comes from a file or the environment rather than from an argument. */
export interface ServerAddress {
  host: string;
  port: number;
  user: string;
  database: string;
  passwordFile?: string;
  password?: string;
}

/** What a database holds of this run's rows. */
export interface Found {
  content: Map<string, string>;
  /** Ids that are there more than once. */
  repeated: string[];
  /** False where there is no such database or table. */
  exists: boolean;
}

/** The database could not be asked: nothing can be judged. */
export class UnreadableDatabaseError extends Error {
  readonly database: string;
  constructor(database: string, cause: unknown) {
    super(`the witness cannot read database "${database}": ${cause instanceof Error ? cause.message || cause.name : String(cause)}`, {
      cause,
    });
    this.database = database;
    this.name = "UnreadableDatabaseError";
  }
}

const NO_SUCH_DATABASE = "3D000";
const NO_SUCH_TABLE = "42P01";

function table(name: string): string {
  return name
    .split(".")
    .map((part) => pg.escapeIdentifier(part))
    .join(".");
}

function contentQuery(memory: Memory): { text: string; values: string[] } {
  const [key, value] = [pg.escapeIdentifier(memory.key), pg.escapeIdentifier(memory.value)];
  return {
    text: `SELECT ${key}::text AS id, ${value}::text AS value FROM ${table(memory.table)} WHERE starts_with(${key}::text, $1)`,
    values: [`W-${memory.run}-`],
  };
}

/**
 * This run's rows in a database. `absent: "empty"` takes a database that does not exist for an empty one: a quarantine dropped too early
 * holds nothing.
 * @throws UnreadableDatabaseError
 */
export async function readContent(memory: Memory, address: DatabaseAddress, absent: "empty" | "error"): Promise<Found> {
  if ("file" in address) return readFileContent(memory, address, absent);
  const { passwordFile, ...connection } = address;
  try {
    const password = passwordFile === undefined ? {} : { password: readFileSync(passwordFile, "utf8").split("\n")[0] ?? "" };
    const client = new pg.Client({ ...connection, ...password, application_name: "witness", connectionTimeoutMillis: 10_000 });
    client.on("error", () => undefined);
    try {
      await client.connect();
      const { rows } = await client.query<{ id: string; value: string | null }>(contentQuery(memory));
      return collect(rows);
    } finally {
      await client.end().catch(() => undefined);
    }
  } catch (error) {
    const code = (error as { code?: string }).code;
    if (absent === "empty" && (code === NO_SUCH_DATABASE || code === NO_SUCH_TABLE))
      return { content: new Map(), repeated: [], exists: false };
    throw new UnreadableDatabaseError(address.database, error);
  }
}

/** Result codes of SQLite: no such file, and (for whatever is wrong with a statement) no such table. */
const CANNOT_OPEN = 14;
const ERROR = 1;

function readFileContent(memory: Memory, { file, database }: FileAddress, absent: "empty" | "error"): Found {
  try {
    const { DatabaseSync } = process.getBuiltinModule("node:sqlite");
    const session = new DatabaseSync(file, { readOnly: true, timeout: 10_000 });
    try {
      const [key, value, from] = [memory.key, memory.value, memory.table].map((name) => `"${name.replaceAll('"', '""')}"`);
      const prefix = `W-${memory.run}-`;
      const rows = session
        .prepare(`SELECT CAST(${key} AS TEXT) AS id, CAST(${value} AS TEXT) AS value FROM ${from} WHERE instr(CAST(${key} AS TEXT), ?) = 1`)
        .all(prefix);
      return collect(rows as { id: string; value: string | null }[]);
    } finally {
      session.close();
    }
  } catch (error) {
    const { errcode, message } = error as { errcode?: number; message?: string };
    const missing = errcode === CANNOT_OPEN || (errcode === ERROR && message?.includes("no such table") === true);
    if (absent === "empty" && missing) return { content: new Map(), repeated: [], exists: false };
    throw new UnreadableDatabaseError(database, error);
  }
}

function collect(rows: readonly { id: string; value: string | null }[]): Found {
  const content = new Map<string, string>();
  const repeated: string[] = [];
  for (const { id, value } of rows) {
    if (content.has(id)) repeated.push(id);
    content.set(id, value ?? "NULL");
  }
  return { content, repeated, exists: true };
}

/** One exported change of one of this run's rows. */
export interface Exported {
  op: Operation;
  id: string;
  /** Content after the change; null: deleted. */
  value: string | null;
}

interface ExportLine {
  op?: unknown;
  table?: unknown;
  key?: unknown;
  row?: Record<string, unknown> | null;
  before?: Record<string, unknown> | null;
}

const OPERATIONS: Record<string, Operation> = {
  insert: "insert",
  inserted: "insert",
  update: "update",
  updated: "update",
  delete: "delete",
  deleted: "delete",
};

/** This run's rows in JSON Lines files; a file that is missing or a line that is damaged exports nothing and is named. */
export async function readExports(memory: Memory, files: readonly string[]): Promise<{ exported: Exported[]; problems: string[] }> {
  const exported: Exported[] = [];
  const problems: string[] = [];
  for (const file of files) {
    let number = 0;
    try {
      for await (const line of linesOf(file)) {
        number += 1;
        if (line === "") continue;
        const change = exportedChange(memory, JSON.parse(line) as ExportLine);
        if (change !== null) exported.push(change);
      }
    } catch (error) {
      problems.push(`${file}, line ${number}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  return { exported, problems };
}

function exportedChange(memory: Memory, line: ExportLine): Exported | null {
  const bare = (name: string): string => name.slice(name.lastIndexOf(".") + 1);
  if (typeof line.table === "string" && bare(line.table) !== bare(memory.table)) return null;
  const op = OPERATIONS[String(line.op)];
  const source = line.row ?? line.before;
  if (op === undefined || source === undefined || source === null) return null;
  const id = source[memory.key];
  if (typeof id !== "string" || !id.startsWith(`W-${memory.run}-`)) return null;
  return { op, id, value: op === "delete" ? null : String(line.row?.[memory.value]) };
}
