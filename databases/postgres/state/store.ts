/**
 * The state database: a small database beside the live one that holds what is true of it. Gate record (rollouts with epochs), journal,
 * catalogue of snapshots, quarantines and standby copies, and lineage, keyed by OID, which a rename keeps.
 */
import type { Client } from "pg";
import { connect, withSession } from "../connection.ts";
import { type Endpoint } from "../../../config/endpoint.ts";
import { quote } from "../../shared/identifiers.ts";
import { STATE_SCHEMA } from "./schema-name.ts";
import type { RolloutPlan } from "../../../config/plan.ts";
import type { Pins } from "../../../config/pins.ts";
import type { Baseline } from "../../../config/system/check.ts";
import {
  beginSnapshot,
  catalogued,
  finishSnapshot,
  forget,
  readySnapshots,
  remainders,
  setManifest,
  setSnapshotState,
  snapshotOfEpoch,
} from "./catalogue.ts";
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

const SCHEMA = `
CREATE TABLE IF NOT EXISTS rollouts (
  epoch int PRIMARY KEY, rollout text NOT NULL, pins jsonb NOT NULL, plan jsonb NOT NULL, state text NOT NULL, run_id text NOT NULL,
  started_at timestamptz NOT NULL DEFAULT clock_timestamp(), opened_at timestamptz, recorded_at timestamptz, failure text, baseline jsonb, reason text);
CREATE TABLE IF NOT EXISTS journal (
  id bigserial PRIMARY KEY, epoch int NOT NULL, run_id text NOT NULL, phase text NOT NULL, kind text NOT NULL, step text NOT NULL, status text NOT NULL,
  at timestamptz NOT NULL DEFAULT clock_timestamp(), duration_ms double precision, detail jsonb);
CREATE TABLE IF NOT EXISTS databases (
  oid bigint PRIMARY KEY, name text NOT NULL, database text NOT NULL, role text NOT NULL, lineage jsonb NOT NULL, snapshot_id int, epoch int NOT NULL,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(), verified jsonb);
CREATE TABLE IF NOT EXISTS snapshots (
  id serial PRIMARY KEY, database text NOT NULL, name text NOT NULL, generation int NOT NULL, driver text NOT NULL, location text NOT NULL,
  taken_at timestamptz NOT NULL DEFAULT clock_timestamp(), epoch int NOT NULL, release text, automatic boolean NOT NULL, state text NOT NULL,
  manifest jsonb, statistics jsonb, baseline jsonb, size_bytes bigint, UNIQUE (database, name, generation));
CREATE TABLE IF NOT EXISTS exports (
  epoch int NOT NULL, database text NOT NULL, path text PRIMARY KEY, sha256 text NOT NULL, rows bigint NOT NULL, made_at timestamptz NOT NULL DEFAULT clock_timestamp());
CREATE TABLE IF NOT EXISTS kept (key text PRIMARY KEY, value jsonb NOT NULL, at timestamptz NOT NULL DEFAULT clock_timestamp());
CREATE TABLE IF NOT EXISTS holder (one boolean PRIMARY KEY DEFAULT true CHECK (one), who jsonb NOT NULL);
`;

interface JournalRow {
  id: string;
  epoch: number;
  run_id: string;
  phase: string;
  kind: string;
  step: string;
  status: string;
  at: Date;
  duration_ms: number | null;
  detail: unknown;
}

/** "back"+"out" as a number: the key of the advisory lock. */
const LOCK = 0x6261636b;
const NO_SUCH_DATABASE = "3D000";
/** "standby" as a number. */
const ARMING_LOCK = 0x61726d;

export class PostgresState implements StateStore {
  readonly client: Client;
  /** Settled when nobody of this process makes copies. */
  private making: Promise<unknown> = Promise.resolve();
  private constructor(client: Client) {
    this.client = client;
  }

  /** Opens the state database, creating it where it is absent. */
  static async create(endpoint: Endpoint, name: string): Promise<PostgresState> {
    const client = await connectOrMake(endpoint, name);
    await client.query("BEGIN");
    await client.query("SELECT pg_advisory_xact_lock($1)", [LOCK + 1]);
    // Also where whoever made it was killed before.
    const { rows } = await client.query<{ open: boolean }>("SELECT has_database_privilege('public', $1, 'CONNECT') AS open", [name]);
    if (rows[0]?.open === true) await client.query(`REVOKE CONNECT ON DATABASE ${quote(name)} FROM PUBLIC`);
    await client.query(SCHEMA);
    await client.query("COMMIT");
    return new PostgresState(await current(client, "public", name));
  }

  /** In a schema of its own in the live database, made where it is absent: where there may be no second database. */
  static async createInside(endpoint: Endpoint, live: string): Promise<PostgresState> {
    const client = await connect(endpoint, live);
    await client.query(`SET search_path = ${STATE_SCHEMA}, public`);
    await client.query("BEGIN");
    await client.query("SELECT pg_advisory_xact_lock($1)", [LOCK + 1]);
    await client.query(`CREATE SCHEMA IF NOT EXISTS ${STATE_SCHEMA}`);
    await client.query(SCHEMA);
    await client.query("COMMIT");
    return new PostgresState(await current(client, STATE_SCHEMA, live));
  }

  /** Opens it there for looking only; null where there is none yet. */
  static async openInside(endpoint: Endpoint, live: string): Promise<PostgresState | null> {
    const client = await connect(endpoint, live);
    await client.query(`SET search_path = ${STATE_SCHEMA}, public`);
    const { rows } = await client.query<{ ready: boolean }>("SELECT to_regclass($1) IS NOT NULL AS ready", [`${STATE_SCHEMA}.rollouts`]);
    if (rows[0]?.ready === true) return new PostgresState(client);
    await client.end();
    return null;
  }

  /** Opens it for looking only; null where there is none yet. @throws UnreachableError when the server does not answer. */
  static async open(endpoint: Endpoint, name: string): Promise<PostgresState | null> {
    try {
      const client = await connect(endpoint, name);
      const { rows } = await client.query<{ ready: boolean }>("SELECT to_regclass('public.rollouts') IS NOT NULL AS ready");
      if (rows[0]?.ready === true) return new PostgresState(client);
      await client.end();
      return null;
    } catch (error) {
      if ((error as { code?: string }).code === NO_SUCH_DATABASE) return null;
      throw error;
    }
  }

  async end(): Promise<void> {
    await this.client.end().catch(() => undefined);
  }
  onLost(listener: () => void): void {
    this.client.once("end", listener);
  }

  async whileMakingStandby<T>(work: () => Promise<T>): Promise<T> {
    // To the session that holds it the server gives its lock once more: exports and checks of one process are at it at once.
    const turn = this.making.then(async () => {
      await this.client.query("SELECT pg_advisory_lock($1)", [ARMING_LOCK]);
      try {
        return await work();
      } finally {
        await this.client.query("SELECT pg_advisory_unlock($1)", [ARMING_LOCK]).catch(() => undefined);
      }
    });
    this.making = turn.catch(() => undefined);
    return turn;
  }

  async lock(who: Record<string, unknown>, waitMs: number): Promise<void> {
    const until = Date.now() + waitMs;
    for (;;) {
      const { rows } = await this.client.query<{ got: boolean }>("SELECT pg_try_advisory_lock($1) AS got", [LOCK]);
      if (rows[0]?.got === true) break;
      if (Date.now() >= until) {
        const holder = await this.client.query<{ who: unknown }>("SELECT who FROM holder");
        throw new LockedError(holder.rows[0]?.who ?? "unknown");
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    await this.client.query("INSERT INTO holder (who) VALUES ($1) ON CONFLICT (one) DO UPDATE SET who = excluded.who", [
      JSON.stringify(who),
    ]);
  }

  async lastRollout(): Promise<Rollout | null> {
    return this.rolloutWhere("TRUE ORDER BY epoch DESC LIMIT 1", []);
  }
  async lastOpenRollout(): Promise<Rollout | null> {
    return this.rolloutWhere("opened_at IS NOT NULL ORDER BY epoch DESC LIMIT 1", []);
  }
  async rollout(epoch: number): Promise<Rollout | null> {
    return this.rolloutWhere("epoch = $1", [epoch]);
  }
  async rollouts(limit: number): Promise<Rollout[]> {
    const { rows } = await this.client.query<RolloutRow>(`SELECT * FROM rollouts ORDER BY epoch DESC LIMIT $1`, [limit]);
    return rows.map(rolloutOfRow);
  }
  async openings(): Promise<Opening[]> {
    const { rows } = await this.client.query<Opening>("SELECT epoch, pins FROM rollouts WHERE opened_at IS NOT NULL ORDER BY epoch");
    return rows;
  }
  private async rolloutWhere(where: string, values: unknown[]): Promise<Rollout | null> {
    const { rows } = await this.client.query<RolloutRow>(`SELECT * FROM rollouts WHERE ${where}`, values);
    return rows[0] === undefined ? null : rolloutOfRow(rows[0]);
  }

  async beginRollout(rollout: Pick<Rollout, "epoch" | "rollout" | "pins" | "plan" | "runId" | "reason">): Promise<void> {
    await this.client.query(
      `INSERT INTO rollouts (epoch, rollout, pins, plan, state, run_id, reason) VALUES ($1, $2, $3, $4, 'closing', $5, $6)
       ON CONFLICT (epoch) DO UPDATE SET state = 'closing', opened_at = NULL, recorded_at = NULL`,
      [rollout.epoch, rollout.rollout, JSON.stringify(rollout.pins), JSON.stringify(rollout.plan), rollout.runId, rollout.reason],
    );
  }

  async setState(epoch: number, state: RolloutState): Promise<void> {
    await this.client.query(
      `UPDATE rollouts SET state = $2, failure = NULL, opened_at = CASE WHEN $2 = 'open' THEN coalesce(opened_at, clock_timestamp()) END WHERE epoch = $1`,
      [epoch, state],
    );
  }
  async setFailure(epoch: number, failure: string): Promise<void> {
    await this.client.query("UPDATE rollouts SET failure = $2 WHERE epoch = $1", [epoch, failure]);
  }
  async setBaseline(epoch: number, baseline: Baseline): Promise<void> {
    await this.client.query("UPDATE rollouts SET baseline = coalesce(baseline, $2) WHERE epoch = $1", [epoch, JSON.stringify(baseline)]);
  }
  async setCounts(epoch: number, counts: Record<string, number>): Promise<void> {
    await this.client.query(
      "UPDATE rollouts SET baseline = jsonb_set(baseline, '{counts}', $2) WHERE epoch = $1 AND baseline IS NOT NULL",
      [epoch, JSON.stringify(counts)],
    );
  }
  async setRecorded(epoch: number): Promise<void> {
    await this.client.query("UPDATE rollouts SET recorded_at = clock_timestamp(), failure = NULL WHERE epoch = $1", [epoch]);
  }

  async keepFirst<T>(key: string, value: T): Promise<T> {
    await this.client.query("INSERT INTO kept (key, value) VALUES ($1, $2) ON CONFLICT (key) DO NOTHING", [key, JSON.stringify(value)]);
    return (await this.kept<T>(key))!;
  }
  async keep(key: string, value: unknown): Promise<void> {
    await this.client.query(
      "INSERT INTO kept (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value, at = clock_timestamp()",
      [key, JSON.stringify(value)],
    );
  }
  async kept<T>(key: string): Promise<T | null> {
    const { rows } = await this.client.query<{ value: T }>("SELECT value FROM kept WHERE key = $1", [key]);
    return rows[0]?.value ?? null;
  }
  async forget(key: string): Promise<void> {
    await this.client.query("DELETE FROM kept WHERE key = $1", [key]);
  }

  async note<K extends StepKind>(entry: EntryOf<K>): Promise<void> {
    await this.client.query(
      "INSERT INTO journal (epoch, run_id, phase, kind, step, status, duration_ms, detail) VALUES ($1,$2,$3,$4,$5,$6,$7,$8)",
      [
        entry.epoch,
        entry.runId,
        entry.phase,
        entry.kind,
        entry.step,
        entry.status,
        entry.durationMs ?? null,
        entry.detail === undefined ? null : JSON.stringify(entry.detail),
      ],
    );
  }
  async journal(epoch: number): Promise<Noted[]> {
    const { rows } = await this.client.query<JournalRow>("SELECT * FROM journal WHERE epoch = $1 ORDER BY id", [epoch]);
    return rows.map(({ run_id: runId, at, duration_ms: durationMs, id: _, ...entry }) => {
      return { ...entry, runId, at: at.toISOString(), ...(durationMs === null ? {} : { durationMs }) } as Noted;
    });
  }

  async earlierSeconds(plan: Pick<RolloutPlan, "scope" | "forward" | "fenceData">): Promise<number[]> {
    const { rows } = await this.client.query<{ seconds: string }>(
      // Of each run from its first step to its last: what lay between an interruption and the next run was nobody's work.
      `SELECT coalesce((SELECT sum(worked) FROM (SELECT extract(epoch FROM max(at) - min(at)) AS worked FROM journal
         WHERE journal.epoch = rollouts.epoch AND at <= opened_at GROUP BY run_id) AS runs), extract(epoch FROM opened_at - started_at)) AS seconds
       FROM rollouts WHERE opened_at IS NOT NULL AND (plan->>'scope') IS NOT DISTINCT FROM $1 AND (plan->>'forward')::boolean = $2 AND (plan->>'fenceData')::boolean = $3
         AND plan->>'fromRelease' IS NOT NULL
       ORDER BY epoch DESC LIMIT 5`,
      [plan.scope, plan.forward, plan.fenceData],
    );
    return rows.map(({ seconds }) => Number(seconds));
  }
  async lastForwardAt(): Promise<string | null> {
    const { rows } = await this.client.query<{ started_at: Date }>(
      "SELECT started_at FROM rollouts WHERE (plan->>'forward')::boolean AND opened_at IS NOT NULL ORDER BY epoch DESC LIMIT 1",
    );
    return rows[0]?.started_at.toISOString() ?? null;
  }

  readySnapshots(): Promise<Snapshot[]> {
    return readySnapshots(this.client);
  }
  snapshotOfEpoch(database: string, name: string, epoch: number): Promise<Snapshot | null> {
    return snapshotOfEpoch(this.client, database, name, epoch);
  }
  beginSnapshot(snapshot: NewSnapshot, location: (generation: number) => string): Promise<Snapshot> {
    return beginSnapshot(this.client, snapshot, location);
  }
  finishSnapshot(id: number, facts: SnapshotFacts): Promise<void> {
    return finishSnapshot(this.client, id, facts);
  }
  setManifest(id: number, manifest: unknown): Promise<void> {
    return setManifest(this.client, id, manifest);
  }
  setSnapshotState(id: number, state: "removing" | "removed"): Promise<void> {
    return setSnapshotState(this.client, id, state);
  }
  remainders(epoch: number): Promise<Snapshot[]> {
    return remainders(this.client, epoch);
  }
  catalogued(): Promise<CatalogueDatabase[]> {
    return catalogued(this.client);
  }
  forgetDatabase(oid: number): Promise<void> {
    return forget(this.client, oid);
  }

  async addExport(epoch: number, database: string, { path, sha256, rows }: ExportRecord): Promise<void> {
    await this.client.query(
      "INSERT INTO exports (epoch, database, path, sha256, rows) VALUES ($1,$2,$3,$4,$5) ON CONFLICT (path) DO NOTHING",
      [epoch, database, path, sha256, rows],
    );
  }
  async exports(epoch: number): Promise<ExportRecord[]> {
    const { rows } = await this.client.query<{ path: string; sha256: string; rows: string }>(
      "SELECT path, sha256, rows FROM exports WHERE epoch = $1 ORDER BY path",
      [epoch],
    );
    return rows.map(({ path, sha256, rows: count }) => ({ path, sha256, rows: Number(count) }));
  }
}

interface RolloutRow {
  epoch: number;
  rollout: string;
  pins: Pins;
  plan: RolloutPlan;
  state: RolloutState;
  run_id: string;
  started_at: Date;
  opened_at: Date | null;
  recorded_at: Date | null;
  failure: string | null;
  baseline: Baseline | null;
  reason: string | null;
}

async function connectOrMake(endpoint: Endpoint, name: string): Promise<Client> {
  try {
    return await connect(endpoint, name);
  } catch (error) {
    if ((error as { code?: string }).code !== NO_SUCH_DATABASE) throw error;
  }
  await withSession(endpoint, "postgres", async (client) => {
    // Until the session ends: two that make it at once would get in each other's way.
    await client.query("SELECT pg_advisory_lock($1)", [LOCK + 1]);
    const { rowCount } = await client.query("SELECT 1 FROM pg_database WHERE datname = $1", [name]);
    if (rowCount === 0) await client.query(`CREATE DATABASE ${quote(name)}`);
  });
  return connect(endpoint, name);
}

function rolloutOfRow(row: RolloutRow): Rollout {
  return {
    epoch: row.epoch,
    rollout: row.rollout,
    pins: row.pins,
    plan: row.plan,
    state: row.state,
    runId: row.run_id,
    startedAt: row.started_at.toISOString(),
    openedAt: row.opened_at?.toISOString() ?? null,
    recordedAt: row.recorded_at?.toISOString() ?? null,
    failure: row.failure,
    baseline: row.baseline,
    reason: row.reason,
  };
}

/** @throws OldStateError, having ended the session */
async function current(client: Client, schema: string, database: string): Promise<Client> {
  const { rows } = await client.query<{ current: boolean }>(
    "SELECT EXISTS (SELECT FROM pg_attribute WHERE attrelid = to_regclass($1) AND attname = 'kind') AS current",
    [`${schema}.journal`],
  );
  if (rows[0]?.current === true) return client;
  await client.end();
  throw new OldStateError(database);
}
