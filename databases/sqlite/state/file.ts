/**
 * The state file: what the state database is beside PostgreSQL databases, for systems whose databases are all SQLite files. Written through
 * the write-ahead log with every commit on disk; files are catalogued by identity, which a rename keeps.
 */
import { existsSync, mkdirSync } from "node:fs";
import { dirname } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import type { RolloutPlan } from "../../../config/plan.ts";
import { fileLock, type FileLock } from "../../../processes/file-lock.ts";
import { all, first, hasTable, openFile, run } from "../database.ts";
import type { Pins } from "../../../config/pins.ts";
import type { Baseline } from "../../../config/system/check.ts";
import { fileCatalogue } from "./file-catalogue.ts";
import { rolloutOfRow, entryOfRow, type RolloutRow, type JournalRow } from "./file-rows.ts";
import { FILE_SCHEMA } from "./file-schema.ts";
import type { EntryOf, Noted, StepKind } from "../../../config/journal.ts";
import {
  LockedError,
  OldStateError,
  type CatalogueDatabase,
  type StateStore,
  type Rollout,
  type RolloutState,
  type ExportRecord,
  type NewSnapshot,
  type Opening,
  type Snapshot,
  type SnapshotFacts,
} from "../../../config/record.ts";

/** ISO 8601 with milliseconds, in UTC. */
const NOW = "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')";

export class SqliteState implements StateStore {
  readonly path: string;
  readonly db: DatabaseSync;
  private held: FileLock | null = null;

  private constructor(path: string, db: DatabaseSync) {
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

  async lastRollout(): Promise<Rollout | null> {
    return this.rolloutWhere("1 ORDER BY epoch DESC LIMIT 1", []);
  }
  async lastOpenRollout(): Promise<Rollout | null> {
    return this.rolloutWhere("opened_at IS NOT NULL ORDER BY epoch DESC LIMIT 1", []);
  }
  async rollout(epoch: number): Promise<Rollout | null> {
    return this.rolloutWhere("epoch = $1", [epoch]);
  }
  async rollouts(limit: number): Promise<Rollout[]> {
    return Promise.resolve(all<RolloutRow>(this.db, "SELECT * FROM rollouts ORDER BY epoch DESC LIMIT $1", [limit]).map(rolloutOfRow));
  }
  async openings(): Promise<Opening[]> {
    const sql = "SELECT epoch, pins FROM rollouts WHERE opened_at IS NOT NULL ORDER BY epoch";
    const rows = all<{ epoch: number; pins: string }>(this.db, sql);
    return Promise.resolve(rows.map(({ epoch, pins }) => ({ epoch, pins: JSON.parse(pins) as Pins })));
  }
  private async rolloutWhere(where: string, values: unknown[]): Promise<Rollout | null> {
    const row = first<RolloutRow>(this.db, `SELECT * FROM rollouts WHERE ${where}`, values);
    return Promise.resolve(row === null ? null : rolloutOfRow(row));
  }

  async beginRollout(rollout: Pick<Rollout, "epoch" | "rollout" | "pins" | "plan" | "runId" | "reason">): Promise<void> {
    return this.write(
      `INSERT INTO rollouts (epoch, rollout, pins, plan, state, run_id, reason, started_at) VALUES ($1, $2, $3, $4, 'closing', $5, $6, ${NOW})
       ON CONFLICT (epoch) DO UPDATE SET state = 'closing', opened_at = NULL, recorded_at = NULL`,
      [rollout.epoch, rollout.rollout, rollout.pins, rollout.plan, rollout.runId, rollout.reason],
    );
  }
  async setState(epoch: number, state: RolloutState): Promise<void> {
    return this.write(
      `UPDATE rollouts SET state = $2, failure = NULL, opened_at = CASE WHEN $2 = 'open' THEN coalesce(opened_at, ${NOW}) END WHERE epoch = $1`,
      [epoch, state],
    );
  }
  async setFailure(epoch: number, failure: string): Promise<void> {
    return this.write("UPDATE rollouts SET failure = $2 WHERE epoch = $1", [epoch, failure]);
  }
  async setBaseline(epoch: number, baseline: Baseline): Promise<void> {
    return this.write("UPDATE rollouts SET baseline = coalesce(baseline, $2) WHERE epoch = $1", [epoch, baseline]);
  }
  async setCounts(epoch: number, counts: Record<string, number>): Promise<void> {
    return this.write("UPDATE rollouts SET baseline = json_set(baseline, '$.counts', json($2)) WHERE epoch = $1 AND baseline IS NOT NULL", [
      epoch,
      counts,
    ]);
  }
  async setRecorded(epoch: number): Promise<void> {
    return this.write(`UPDATE rollouts SET recorded_at = ${NOW}, failure = NULL WHERE epoch = $1`, [epoch]);
  }

  async note<K extends StepKind>(entry: EntryOf<K>): Promise<void> {
    return this.write(
      `INSERT INTO journal (epoch, run_id, phase, kind, step, status, duration_ms, detail, at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, ${NOW})`,
      [
        entry.epoch,
        entry.runId,
        entry.phase,
        entry.kind,
        entry.step,
        entry.status,
        entry.durationMs,
        entry.detail === undefined ? null : JSON.stringify(entry.detail),
      ],
    );
  }
  async journal(epoch: number): Promise<Noted[]> {
    return Promise.resolve(all<JournalRow>(this.db, "SELECT * FROM journal WHERE epoch = $1 ORDER BY id", [epoch]).map(entryOfRow));
  }

  async earlierSeconds(plan: Pick<RolloutPlan, "scope" | "forward" | "fenceData">): Promise<number[]> {
    const rows = all<{ seconds: number }>(
      this.db,
      // Of each run from its first step to its last: what lay between an interruption and the next run was nobody's work.
      `SELECT coalesce((SELECT sum(worked) FROM (SELECT (julianday(max(at)) - julianday(min(at))) * 86400.0 AS worked FROM journal
         WHERE journal.epoch = rollouts.epoch AND at <= opened_at GROUP BY run_id)), (julianday(opened_at) - julianday(started_at)) * 86400.0) AS seconds
       FROM rollouts WHERE opened_at IS NOT NULL AND plan->>'$.scope' IS $1 AND plan->>'$.forward' = $2 AND plan->>'$.fenceData' = $3
         AND plan->>'$.fromRelease' IS NOT NULL
       ORDER BY epoch DESC LIMIT 5`,
      [plan.scope, plan.forward, plan.fenceData],
    );
    return Promise.resolve(rows.map(({ seconds }) => seconds));
  }
  async lastForwardAt(): Promise<string | null> {
    const sql = "SELECT started_at AS at FROM rollouts WHERE plan->>'$.forward' = 1 AND opened_at IS NOT NULL ORDER BY epoch DESC LIMIT 1";
    return Promise.resolve(first<{ at: string }>(this.db, sql)?.at ?? null);
  }

  async readySnapshots(): Promise<Snapshot[]> {
    return Promise.resolve(fileCatalogue.readySnapshots(this.db));
  }
  async snapshotOfEpoch(database: string, name: string, epoch: number): Promise<Snapshot | null> {
    return Promise.resolve(fileCatalogue.snapshotOfEpoch(this.db, database, name, epoch));
  }
  async beginSnapshot(snapshot: NewSnapshot, location: (generation: number) => string): Promise<Snapshot> {
    return Promise.resolve(fileCatalogue.beginSnapshot(this.db, snapshot, location));
  }
  async finishSnapshot(id: number, { manifest, statistics, baseline, sizeBytes }: SnapshotFacts): Promise<void> {
    return this.write(
      `UPDATE snapshots SET state = 'ready', manifest = $2, statistics = $3, baseline = $4, size_bytes = $5, taken_at = ${NOW} WHERE id = $1`,
      [id, manifest, statistics, baseline, sizeBytes],
    );
  }
  async setManifest(id: number, manifest: unknown): Promise<void> {
    return this.write("UPDATE snapshots SET manifest = $2 WHERE id = $1", [id, manifest]);
  }
  async setSnapshotState(id: number, state: "removing" | "removed"): Promise<void> {
    return this.write("UPDATE snapshots SET state = $2 WHERE id = $1", [id, state]);
  }
  async remainders(epoch: number): Promise<Snapshot[]> {
    return Promise.resolve(fileCatalogue.remainders(this.db, epoch));
  }
  async catalogued(): Promise<CatalogueDatabase[]> {
    return Promise.resolve(fileCatalogue.catalogued(this.db));
  }
  async forgetDatabase(oid: number): Promise<void> {
    return this.write("DELETE FROM databases WHERE oid = $1", [oid]);
  }

  async addExport(epoch: number, database: string, { path, sha256, rows }: ExportRecord): Promise<void> {
    return this.write(
      `INSERT INTO exports (epoch, database, path, sha256, rows, made_at) VALUES ($1, $2, $3, $4, $5, ${NOW}) ON CONFLICT (path) DO NOTHING`,
      [epoch, database, path, sha256, rows],
    );
  }
  async exports(epoch: number): Promise<ExportRecord[]> {
    return Promise.resolve(all<ExportRecord>(this.db, "SELECT path, sha256, rows FROM exports WHERE epoch = $1 ORDER BY path", [epoch]));
  }

  async keepFirst<T>(key: string, value: T): Promise<T> {
    await this.write(`INSERT INTO kept (key, value, at) VALUES ($1, $2, ${NOW}) ON CONFLICT (key) DO NOTHING`, [
      key,
      JSON.stringify(value),
    ]);
    return (await this.kept<T>(key))!;
  }
  async keep(key: string, value: unknown): Promise<void> {
    return this.write(
      `INSERT INTO kept (key, value, at) VALUES ($1, $2, ${NOW}) ON CONFLICT (key) DO UPDATE SET value = excluded.value, at = excluded.at`,
      [key, JSON.stringify(value)],
    );
  }
  async kept<T>(key: string): Promise<T | null> {
    const row = first<{ value: string }>(this.db, "SELECT value FROM kept WHERE key = $1", [key]);
    return Promise.resolve(row === null ? null : (JSON.parse(row.value) as T));
  }
  async forget(key: string): Promise<void> {
    return this.write("DELETE FROM kept WHERE key = $1", [key]);
  }

  private async write(sql: string, values: readonly unknown[]): Promise<void> {
    run(this.db, sql, values);
    return Promise.resolve();
  }
}
