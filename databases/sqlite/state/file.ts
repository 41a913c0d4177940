/**
 * The state file: what the state database is beside PostgreSQL databases, for systems whose databases are all SQLite files. Written through
 * the write-ahead log with every commit on disk; files are catalogued by identity, which a rename keeps.
 */
import { existsSync, mkdirSync } from "node:fs";
import { dirname } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { fileLock, type FileLock } from "../../../processes/file-lock.ts";
import { all, first, hasTable, isDamaged, openFile, run } from "../database.ts";
import { documentOf, fileCatalogue, kept, placed } from "./file-catalogue.ts";
import { FILE_SCHEMA, NOW } from "./file-schema.ts";
import { DamagedStateError, LockedError, OldStateError, type CatalogueDatabase } from "../../../config/record.ts";
import type { DocumentOf } from "../../shared/state/rows.ts";
import { SqlState, type StateDialect } from "../../shared/state/sql-state.ts";

const DIALECT: StateDialect = {
  now: NOW,
  seconds: (from, to) => `(julianday(${to}) - julianday(${from})) * 86400.0`,
  flag: (document, field) => `(${document}->>'${field}')`,
  withCounts: (document, parameter) => `json_set(${document}, '$.counts', json(${parameter}))`,
};

export class SqliteState extends SqlState {
  protected readonly dialect = DIALECT;
  protected readonly document: DocumentOf = (value) => readable(this.path, () => documentOf(value));
  readonly path: string;
  readonly db: DatabaseSync;
  private held: FileLock | null = null;

  private constructor(path: string, db: DatabaseSync) {
    super();
    this.path = path;
    this.db = db;
  }

  /** Opens the state file, making it where it is absent. @throws OldStateError, DamagedStateError */
  static async create(path: string): Promise<SqliteState> {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    return Promise.resolve(
      opened(path, (db) => {
        db.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; BEGIN IMMEDIATE; ${FILE_SCHEMA} COMMIT;`);
        return new SqliteState(path, db);
      })!,
    );
  }

  /** Opens it for looking only; null where there is none yet. @throws OldStateError, DamagedStateError */
  static async open(path: string): Promise<SqliteState | null> {
    if (!existsSync(path)) return Promise.resolve(null);
    return Promise.resolve(
      opened(path, (db) => {
        db.exec("PRAGMA synchronous = FULL");
        return hasTable(db, "rollouts") ? new SqliteState(path, db) : null;
      }),
    );
  }

  protected async all<Row>(sql: string, values?: readonly unknown[]): Promise<Row[]> {
    return Promise.resolve(readable(this.path, () => all<Row>(this.db, sql, values)));
  }
  protected override keptLocation(location: string): string {
    return kept(this.db, location);
  }
  protected override locationOf(location: string): string {
    return placed(this.db, location);
  }

  async end(): Promise<void> {
    if (this.db.isOpen) this.db.close();
    this.held?.release();
    this.held = null;
    return Promise.resolve();
  }
  /** A file is not lost while it is open. */
  onLost(): void {}

  async lock(who: Record<string, unknown>, waitMs: number): Promise<void> {
    this.held = await fileLock(`${this.path}.lock`, waitMs);
    if (this.held === null) {
      const who = first<{ who: string }>(this.db, "SELECT who FROM holder")?.who;
      throw new LockedError(who === undefined ? "unknown" : (JSON.parse(who) as unknown));
    }
    run(this.db, "INSERT INTO holder (one, who) VALUES (1, $1) ON CONFLICT (one) DO UPDATE SET who = excluded.who", [who]);
  }

  async whileMakingStandby<T>(work: () => Promise<T>): Promise<T> {
    const lock = await fileLock(`${this.path}.standby`);
    try {
      return await work();
    } finally {
      lock?.release();
    }
  }

  catalogued(): Promise<CatalogueDatabase[]> {
    return Promise.resolve(readable(this.path, () => fileCatalogue.catalogued(this.db)));
  }
}

/** @param work what is done with the file first; null: it is of no use, and is closed. */
function opened(path: string, work: (db: DatabaseSync) => SqliteState | null): SqliteState | null {
  const db = openFile(path, { timeoutMs: 10_000 });
  let state: SqliteState | null = null;
  try {
    state = readable(path, () => {
      requireCurrent(db, path);
      return work(db);
    });
    return state;
  } finally {
    if (state === null) db.close();
  }
}

/** @throws OldStateError for a journal that does not say of which kind a step is */
function requireCurrent(db: DatabaseSync, path: string): void {
  const columns = all<{ name: string }>(db, "SELECT name FROM pragma_table_info('journal')").map(({ name }) => name);
  if (columns.length > 0 && !columns.includes("kind")) throw new OldStateError(path);
}

/** What SQLite, or the reader of a document, says of damage names no file. @throws DamagedStateError */
function readable<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (isDamaged(error) || error instanceof SyntaxError) throw new DamagedStateError(path, (error as Error).message);
    throw error;
  }
}
