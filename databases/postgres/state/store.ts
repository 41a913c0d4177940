/**
 * The state database: a small database beside the live one that holds what is true of it. Gate record (rollouts with epochs), journal,
 * catalogue of snapshots, quarantines and standby copies, and lineage, keyed by OID, which a rename keeps.
 */
import type { Client } from "pg";
import { connect, withSession } from "../connection.ts";
import { type Endpoint } from "../../../config/endpoint.ts";
import { quote } from "../../shared/identifiers.ts";
import { SCHEMA, STATE_SCHEMA } from "./schema.ts";
import { catalogued } from "./catalogue.ts";
import { LockedError, OldStateError, type CatalogueDatabase } from "../../../config/record.ts";
import type { DocumentOf } from "../../shared/state/rows.ts";
import { SqlState, type StateDialect } from "../../shared/state/sql-state.ts";
import { keptBelow, placedBelow } from "./locations.ts";

/** "back"+"out" as a number: the key of the advisory lock. */
const LOCK = 0x6261636b;
const NO_SUCH_DATABASE = "3D000";
/** "standby" as a number. */
const ARMING_LOCK = 0x61726d;

const DIALECT: StateDialect = {
  now: "clock_timestamp()",
  seconds: (from, to) => `extract(epoch FROM ${to} - ${from})`,
  flag: (document, field) => `(${document}->>'${field}')::boolean`,
  withCounts: (document, parameter) => `jsonb_set(${document}, '{counts}', ${parameter})`,
};

export class PostgresState extends SqlState {
  protected readonly dialect = DIALECT;
  /** The client parses them. */
  protected readonly document: DocumentOf = <T>(value: unknown) => value as T | null;
  readonly client: Client;
  /** Settled when nobody of this process makes copies. */
  private making: Promise<unknown> = Promise.resolve();
  /** Settled when every query that was asked is answered. */
  private asking: Promise<unknown> = Promise.resolve();
  private readonly home: string | undefined;
  private constructor(client: Client, home: string | undefined) {
    super();
    this.client = client;
    this.home = home;
  }

  protected override keptLocation(location: string): string {
    return keptBelow(this.home, location);
  }
  protected override locationOf(kept: string): string {
    return placedBelow(this.home, kept);
  }

  /** Opens the state database, creating it where it is absent. @param home of the stack on this machine @throws OldStateError */
  static async create(endpoint: Endpoint, name: string, home?: string): Promise<PostgresState> {
    const client = await current(await connectOrMake(endpoint, name), "public", name);
    await client.query("BEGIN");
    await client.query("SELECT pg_advisory_xact_lock($1)", [LOCK + 1]);
    // Also where the process that created it was killed before.
    const { rows } = await client.query<{ open: boolean }>("SELECT has_database_privilege('public', $1, 'CONNECT') AS open", [name]);
    if (rows[0]?.open === true) await client.query(`REVOKE CONNECT ON DATABASE ${quote(name)} FROM PUBLIC`);
    await client.query(SCHEMA);
    await client.query("COMMIT");
    return new PostgresState(client, home);
  }

  /** In a schema of its own in the live database, made where it is absent: where there may be no second database. */
  static async createInside(endpoint: Endpoint, live: string, home?: string): Promise<PostgresState> {
    const client = await current(await connect(endpoint, live), STATE_SCHEMA, live);
    await client.query(`SET search_path = ${STATE_SCHEMA}, public`);
    await client.query("BEGIN");
    await client.query("SELECT pg_advisory_xact_lock($1)", [LOCK + 1]);
    await client.query(`CREATE SCHEMA IF NOT EXISTS ${STATE_SCHEMA}`);
    await client.query(SCHEMA);
    await client.query("COMMIT");
    return new PostgresState(client, home);
  }

  /** Opens it there for looking only; null where there is none yet. */
  static async openInside(endpoint: Endpoint, live: string, home?: string): Promise<PostgresState | null> {
    const client = await current(await connect(endpoint, live), STATE_SCHEMA, live);
    await client.query(`SET search_path = ${STATE_SCHEMA}, public`);
    const { rows } = await client.query<{ ready: boolean }>("SELECT to_regclass($1) IS NOT NULL AS ready", [`${STATE_SCHEMA}.rollouts`]);
    if (rows[0]?.ready === true) return new PostgresState(client, home);
    await client.end();
    return null;
  }

  /** Opens it for looking only; null where there is none yet. @throws UnreachableError when the server does not answer, OldStateError */
  static async open(endpoint: Endpoint, name: string, home?: string): Promise<PostgresState | null> {
    try {
      const client = await current(await connect(endpoint, name), "public", name);
      const { rows } = await client.query<{ ready: boolean }>("SELECT to_regclass('public.rollouts') IS NOT NULL AS ready");
      if (rows[0]?.ready === true) return new PostgresState(client, home);
      await client.end();
      return null;
    } catch (error) {
      if ((error as { code?: string }).code === NO_SUCH_DATABASE) return null;
      throw error;
    }
  }

  /** One after another: the client takes one query at a time. */
  protected async all<Row>(sql: string, values: readonly unknown[] = []): Promise<Row[]> {
    const turn = this.asking.then(() => this.client.query(sql, [...values]));
    this.asking = turn.catch(() => undefined);
    return (await turn).rows as Row[];
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

  catalogued(): Promise<CatalogueDatabase[]> {
    return catalogued(this.client);
  }
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

/** @throws OldStateError, having ended the session, for a journal that does not say of which kind a step is */
async function current(client: Client, schema: string, database: string): Promise<Client> {
  const { rows } = await client.query<{ old: boolean }>(
    `SELECT to_regclass($1) IS NOT NULL AND NOT EXISTS
       (SELECT FROM pg_attribute WHERE attrelid = to_regclass($1) AND attname = 'kind' AND NOT attisdropped) AS old`,
    [`${schema}.journal`],
  );
  if (rows[0]?.old !== true) return client;
  await client.end();
  throw new OldStateError(database);
}
