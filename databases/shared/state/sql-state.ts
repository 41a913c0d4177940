/** What state stores of every engine do with the same SQL: rollouts, journal, snapshots, exports, kept values. Locks and files are the engine's. */
import type { RolloutPlan } from "../../../config/plan.ts";
import type { Pins } from "../../../config/pins.ts";
import type { EntryOf, ExportFile, Noted, StepKind } from "../../../config/journal.ts";
import type { Baseline } from "../../../config/system/check.ts";
import type {
  CatalogueDatabase,
  NewSnapshot,
  Opening,
  Rollout,
  RolloutState,
  Snapshot,
  SnapshotFacts,
  StateStore,
} from "../../../config/record.ts";
import { entryOfRow, rolloutOfRow, snapshotOfRow, type DocumentOf, type JournalRow, type RolloutRow, type SnapshotRow } from "./rows.ts";

/** SQL expressions that engines write differently. */
export interface StateDialect {
  /** The present time, as the store keeps times. */
  now: string;
  /** Seconds between two times. */
  readonly seconds: (from: string, to: string) => string;
  /** A boolean field of a document. */
  readonly flag: (document: string, field: string) => string;
  /** A document whose field `counts` becomes the parameter. */
  readonly withCounts: (document: string, parameter: string) => string;
}

type NewRollout = Pick<Rollout, "epoch" | "rollout" | "pins" | "plan" | "runId" | "reason">;

const json = (value: unknown): string | null => (value === null || value === undefined ? null : JSON.stringify(value));

export abstract class SqlState implements StateStore {
  protected abstract readonly dialect: StateDialect;
  protected abstract readonly document: DocumentOf;
  protected abstract all<Row>(sql: string, values?: readonly unknown[]): Promise<Row[]>;

  abstract end(): Promise<void>;
  abstract onLost(listener: () => void): void;
  abstract lock(who: Record<string, unknown>, waitMs: number): Promise<void>;
  abstract whileMakingStandby<T>(work: () => Promise<T>): Promise<T>;
  abstract catalogued(): Promise<CatalogueDatabase[]>;

  /** How a location is written down, and what it is when it is read: a store in a folder may be moved with it. */
  protected keptLocation(location: string): string {
    return location;
  }
  protected locationOf(kept: string): string {
    return kept;
  }

  private async first<Row>(sql: string, values?: readonly unknown[]): Promise<Row | null> {
    return (await this.all<Row>(sql, values))[0] ?? null;
  }
  private async write(sql: string, values: readonly unknown[]): Promise<void> {
    await this.all(sql, values);
  }

  async lastRollout(): Promise<Rollout | null> {
    return this.rolloutWhere("1 = 1 ORDER BY epoch DESC LIMIT 1");
  }
  async lastOpenRollout(): Promise<Rollout | null> {
    return this.rolloutWhere("opened_at IS NOT NULL ORDER BY epoch DESC LIMIT 1");
  }
  async rollout(epoch: number): Promise<Rollout | null> {
    return this.rolloutWhere("epoch = $1", [epoch]);
  }
  async rollouts(limit: number): Promise<Rollout[]> {
    const rows = await this.all<RolloutRow>("SELECT * FROM rollouts ORDER BY epoch DESC LIMIT $1", [limit]);
    return rows.map((row) => rolloutOfRow(row, this.document));
  }
  async openings(): Promise<Opening[]> {
    const sql = "SELECT epoch, pins FROM rollouts WHERE opened_at IS NOT NULL ORDER BY epoch";
    return (await this.all<{ epoch: number; pins: unknown }>(sql)).map(({ epoch, pins }) => ({ epoch, pins: this.document<Pins>(pins)! }));
  }
  private async rolloutWhere(where: string, values?: readonly unknown[]): Promise<Rollout | null> {
    const row = await this.first<RolloutRow>(`SELECT * FROM rollouts WHERE ${where}`, values);
    return row === null ? null : rolloutOfRow(row, this.document);
  }

  async beginRollout({ epoch, rollout, pins, plan, runId, reason }: NewRollout): Promise<void> {
    await this.write(
      `INSERT INTO rollouts (epoch, rollout, pins, plan, state, run_id, reason, started_at) VALUES ($1, $2, $3, $4, 'closing', $5, $6, ${this.dialect.now})
       ON CONFLICT (epoch) DO UPDATE SET state = 'closing', opened_at = NULL, recorded_at = NULL`,
      [epoch, rollout, json(pins), json(plan), runId, reason],
    );
  }
  async setState(epoch: number, state: RolloutState): Promise<void> {
    await this.write(
      `UPDATE rollouts SET state = $2, failure = NULL, opened_at = CASE WHEN $2 = 'open' THEN coalesce(opened_at, ${this.dialect.now}) END WHERE epoch = $1`,
      [epoch, state],
    );
  }
  async setFailure(epoch: number, failure: string): Promise<void> {
    await this.write("UPDATE rollouts SET failure = $2 WHERE epoch = $1", [epoch, failure]);
  }
  async setBaseline(epoch: number, baseline: Baseline): Promise<void> {
    await this.write("UPDATE rollouts SET baseline = coalesce(baseline, $2) WHERE epoch = $1", [epoch, json(baseline)]);
  }
  async setCounts(epoch: number, counts: Record<string, number>): Promise<void> {
    const baseline = this.dialect.withCounts("baseline", "$2");
    await this.write(`UPDATE rollouts SET baseline = ${baseline} WHERE epoch = $1 AND baseline IS NOT NULL`, [epoch, json(counts)]);
  }
  async setRecorded(epoch: number): Promise<void> {
    await this.write(`UPDATE rollouts SET recorded_at = ${this.dialect.now}, failure = NULL WHERE epoch = $1`, [epoch]);
  }

  async note<K extends StepKind>({ epoch, runId, phase, kind, step, status, durationMs, detail }: EntryOf<K>): Promise<void> {
    await this.write(
      `INSERT INTO journal (epoch, run_id, phase, kind, step, status, duration_ms, detail, at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, ${this.dialect.now})`,
      [epoch, runId, phase, kind, step, status, durationMs ?? null, json(detail)],
    );
  }
  async journal(epoch: number): Promise<Noted[]> {
    const rows = await this.all<JournalRow>("SELECT * FROM journal WHERE epoch = $1 ORDER BY id", [epoch]);
    return rows.map((row) => entryOfRow(row, this.document));
  }

  async earlierSeconds(plan: Pick<RolloutPlan, "scope" | "forward" | "fenceData">): Promise<number[]> {
    const { seconds, flag } = this.dialect;
    const rows = await this.all<{ seconds: number | string }>(
      // Of each run from its first step to its last: between an interruption and the next run nobody worked.
      `SELECT coalesce((SELECT sum(worked) FROM (SELECT ${seconds("min(at)", "max(at)")} AS worked FROM journal
         WHERE journal.epoch = rollouts.epoch AND at <= opened_at GROUP BY run_id) AS runs), ${seconds("started_at", "opened_at")}) AS seconds
       FROM rollouts WHERE opened_at IS NOT NULL AND (plan->>'scope') IS NOT DISTINCT FROM $1 AND ${flag("plan", "forward")} = $2
         AND ${flag("plan", "fenceData")} = $3 AND plan->>'fromRelease' IS NOT NULL
       ORDER BY epoch DESC LIMIT 5`,
      [plan.scope, plan.forward, plan.fenceData],
    );
    return rows.map((row) => Number(row.seconds));
  }
  async lastForwardAt(): Promise<string | null> {
    return (
      (await this.rolloutWhere(`${this.dialect.flag("plan", "forward")} AND opened_at IS NOT NULL ORDER BY epoch DESC LIMIT 1`))
        ?.startedAt ?? null
    );
  }

  async readySnapshots(): Promise<Snapshot[]> {
    return this.snapshotsWhere("state = 'ready'");
  }
  async snapshotOfEpoch(database: string, name: string, epoch: number): Promise<Snapshot | null> {
    return (await this.snapshotsWhere("database = $1 AND name = $2 AND epoch = $3", [database, name, epoch]))[0] ?? null;
  }
  async remainders(epoch: number): Promise<Snapshot[]> {
    return this.snapshotsWhere("state = 'removing' OR (state = 'making' AND epoch < $1)", [epoch]);
  }
  private async snapshotsWhere(where: string, values?: readonly unknown[]): Promise<Snapshot[]> {
    const rows = await this.all<SnapshotRow>(`SELECT * FROM snapshots WHERE ${where} ORDER BY id`, values);
    return rows.map((row) => this.snapshotOf(row));
  }
  private snapshotOf(row: SnapshotRow): Snapshot {
    return snapshotOfRow({ ...row, location: this.locationOf(row.location) }, this.document);
  }
  async beginSnapshot(snapshot: NewSnapshot, location: (generation: number) => string): Promise<Snapshot> {
    const { database, name, driver, epoch, release, automatic } = snapshot;
    const last = await this.first<{ generation: number | null }>(
      "SELECT max(generation) AS generation FROM snapshots WHERE database = $1 AND name = $2",
      [database, name],
    );
    const generation = (last?.generation ?? 0) + 1;
    const row = await this.first<SnapshotRow>(
      `INSERT INTO snapshots (database, name, generation, driver, location, epoch, release, automatic, state, taken_at)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'making', ${this.dialect.now}) RETURNING *`,
      [database, name, generation, driver, this.keptLocation(location(generation)), epoch, release, automatic],
    );
    return this.snapshotOf(row!);
  }
  async finishSnapshot(id: number, { manifest, statistics, baseline, sizeBytes }: SnapshotFacts): Promise<void> {
    await this.write(
      `UPDATE snapshots SET state = 'ready', manifest = $2, statistics = $3, baseline = $4, size_bytes = $5, taken_at = ${this.dialect.now} WHERE id = $1`,
      [id, json(manifest), json(statistics), json(baseline), sizeBytes],
    );
  }
  async setManifest(id: number, manifest: unknown): Promise<void> {
    await this.write("UPDATE snapshots SET manifest = $2 WHERE id = $1", [id, json(manifest)]);
  }
  async setSnapshotState(id: number, state: "removing" | "removed"): Promise<void> {
    await this.write("UPDATE snapshots SET state = $2 WHERE id = $1", [id, state]);
  }
  async forgetDatabase(oid: number): Promise<void> {
    await this.write("DELETE FROM databases WHERE oid = $1", [oid]);
  }

  async addExport(epoch: number, database: string, { path, sha256, rows }: ExportFile): Promise<void> {
    await this.write(
      `INSERT INTO exports (epoch, database, path, sha256, rows, made_at) VALUES ($1, $2, $3, $4, $5, ${this.dialect.now}) ON CONFLICT (path) DO NOTHING`,
      [epoch, database, this.keptLocation(path), sha256, rows],
    );
  }
  async exports(epoch: number): Promise<ExportFile[]> {
    const rows = await this.all<ExportFile>("SELECT path, sha256, rows FROM exports WHERE epoch = $1 ORDER BY path", [epoch]);
    return rows.map((row) => ({ ...row, path: this.locationOf(row.path), rows: Number(row.rows) }));
  }

  async keepFirst<T>(key: string, value: T): Promise<T> {
    const sql = `INSERT INTO kept (key, value, at) VALUES ($1, $2, ${this.dialect.now}) ON CONFLICT (key) DO NOTHING`;
    await this.write(sql, [key, JSON.stringify(value)]);
    return (await this.kept<T>(key))!;
  }
  async keep(key: string, value: unknown): Promise<void> {
    await this.write(
      `INSERT INTO kept (key, value, at) VALUES ($1, $2, ${this.dialect.now}) ON CONFLICT (key) DO UPDATE SET value = excluded.value, at = excluded.at`,
      [key, JSON.stringify(value)],
    );
  }
  async kept<T>(key: string): Promise<T | null> {
    return this.document<T>((await this.first<{ value: unknown }>("SELECT value FROM kept WHERE key = $1", [key]))?.value ?? null);
  }
  async keptNumbered<T>(beginning: string): Promise<Map<number, T>> {
    const rows = await this.all<{ key: string; value: unknown }>("SELECT key, value FROM kept WHERE substr(key, 1, $1) = $2", [
      beginning.length,
      beginning,
    ]);
    return new Map(rows.map(({ key, value }) => [Number(key.slice(beginning.length)), this.document<T>(value)!]));
  }
  async forget(key: string): Promise<void> {
    await this.write("DELETE FROM kept WHERE key = $1", [key]);
  }
}
