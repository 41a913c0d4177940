/**
 * The state file: what the state database is beside PostgreSQL databases, for systems whose databases are all SQLite files. Written through
 * the write-ahead log with every commit on disk; files are catalogued by identity, which a rename keeps.
 */
import { existsSync, mkdirSync } from "node:fs";
import { dirname } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { fileLock, type FileLock } from "../../../processes/file-lock.ts";
import { all, first, hasTable, openFile, run } from "../database.ts";
import { documentOf, fileCatalogue, kept, placed } from "./file-catalogue.ts";
import { FILE_SCHEMA, NOW } from "./file-schema.ts";
import { LockedError, OldStateError, type CatalogueDatabase } from "../../../config/record.ts";
import { SqlState, type StateDialect } from "../../shared/state/sql-state.ts";

const DIALECT: StateDialect = {
  now: NOW,
  seconds: (from, to) => `(julianday(${to}) - julianday(${from})) * 86400.0`,
  flag: (document, field) => `(${document}->>'${field}')`,
  withCounts: (document, parameter) => `json_set(${document}, '$.counts', json(${parameter}))`,
};

export class SqliteState extends SqlState {
  protected readonly dialect = DIALECT;
  protected readonly document = documentOf;
  readonly path: string;
  readonly db: DatabaseSync;
  private held: FileLock | null = null;

  private constructor(path: string, db: DatabaseSync) {
    super();
    this.path = path;
    this.db = db;
  }

  /** Opens the state file, making it where it is absent. @throws OldStateError */
  static async create(path: string): Promise<SqliteState> {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    const db = openFile(path, { timeoutMs: 10_000 });
    db.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; BEGIN IMMEDIATE; ${FILE_SCHEMA} COMMIT;`);
    if (first(db, "SELECT 1 FROM pragma_table_info('journal') WHERE name = 'kind'") === null) {
      db.close();
      throw new OldStateError(path);
    }
    return Promise.resolve(new SqliteState(path, db));
  }

  /** Opens it for looking only; null where there is none yet. */
  static async open(path: string): Promise<SqliteState | null> {
    if (!existsSync(path)) return Promise.resolve(null);
    const db = openFile(path, { timeoutMs: 10_000 });
    db.exec("PRAGMA synchronous = FULL");
    if (hasTable(db, "rollouts")) return new SqliteState(path, db);
    db.close();
    return null;
  }

  protected async all<Row>(sql: string, values?: readonly unknown[]): Promise<Row[]> {
    return Promise.resolve(all<Row>(this.db, sql, values));
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
    return Promise.resolve(fileCatalogue.catalogued(this.db));
  }
}
