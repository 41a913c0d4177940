/** A stack with one PostgreSQL database and no services: what a rollout does with it, renamed or in place, without an engine around it. */
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { StateStore, Snapshot } from "../../../config/record.ts";
import { createState } from "../../../databases/open-state.ts";
import { engineOn, type WholeEngine } from "./whole.ts";
import type { RolloutPlan, DataAction, DatabasePlan } from "../../../config/plan.ts";
import type { Run } from "../../../config/run.ts";
import type { Pins } from "../../../config/pins.ts";
import { endpointOf, type Server, type Site } from "../../../config/site.ts";
import { type connect, withSession } from "../../../databases/postgres/connection.ts";
import type { SystemDefinition } from "../../../config/system/definition.ts";
import type { Baseline } from "../../../config/system/check.ts";

export const DATABASE = "shop";
export const RESTORE: DataAction = { kind: "restore", snapshot: "before-v2", generation: 1, again: 0 };
export const PINS = { needs: {} } as unknown as Pins;

export function planOf(action: DataAction): DatabasePlan {
  return { action, up: [], back: [], backBy: "keep" };
}

export function definitionIn(folder: string): SystemDefinition {
  const database = { engine: "postgres", ledger: "prisma", migrations: [], tables: ["customers", "orders", "notes"] };
  return { name: "shop", title: "Shop", folder, services: {}, databases: { [DATABASE]: database } } as unknown as SystemDefinition;
}

/** Policies that bind even the owner: who asks for no tenant sees no customer. */
const SCHEMA = `
  CREATE TABLE customers (id int PRIMARY KEY, tenant text NOT NULL, name text NOT NULL);
  CREATE TABLE orders (id int PRIMARY KEY, customer int NOT NULL REFERENCES customers, label text CHECK (label <> 'refused'));
  INSERT INTO customers VALUES (1, 'a', 'Ann'), (2, 'b', 'Ben'), (3, 'b', 'Cy');
  INSERT INTO orders VALUES (1, 1, 'one'), (2, 2, 'two'), (3, 2, 'three');
  ALTER TABLE customers ENABLE ROW LEVEL SECURITY; ALTER TABLE customers FORCE ROW LEVEL SECURITY;
  CREATE POLICY own ON customers USING (tenant = current_setting('app.tenant', true));`;

/** What users of a newer release write, an order that the older schema refuses among it. */
const SINCE = `
  ALTER TABLE orders DROP CONSTRAINT orders_label_check; CREATE TABLE notes (id int PRIMARY KEY); INSERT INTO notes VALUES (1), (2);
  SET app.tenant = 'b'; INSERT INTO customers VALUES (4, 'b', 'Di'); UPDATE customers SET name = 'Benno' WHERE id = 2; DELETE FROM customers WHERE id = 3;
  INSERT INTO orders VALUES (4, 4, 'four'), (5, 1, 'refused'); UPDATE orders SET label = 'ONE' WHERE id = 1; DELETE FROM orders WHERE id = 3`;

export interface Stand {
  site: Site;
  engine: WholeEngine;
  folder: string;
  said: string[];
  run(epoch: number): Promise<Run>;
  /** Runs statements as the administrative role; in place that is the owner. */
  sql<Row extends object>(text: string): Promise<Row[]>;
  /** Made at epoch 1, then closed and snapshotted at epoch 2. */
  snapshotted(kept?: { prepare?: () => Promise<unknown>; baseline?: Baseline | null }): Promise<{ run: Run; snapshot: Snapshot }>;
  /** Snapshotted at epoch 2, then written to by users, then closed for epoch 3. */
  left(kept?: Parameters<Stand["snapshotted"]>[0]): Promise<{ run: Run; snapshot: Snapshot }>;
  /** Cut over to the snapshot: what was live is set aside. */
  cutOver(): Promise<Run>;
  end(): Promise<void>;
}

/** @param make makes the live database. */
export async function makeStand(server: Server, make: (run: Run) => Promise<void>): Promise<Stand> {
  const folder = mkdtempSync(join(tmpdir(), "backout-engine-"));
  chmodSync(folder, 0o755);
  const home = join(folder, "home");
  const site: Site = {
    stack: "shop",
    system: "shop",
    module: null,
    project: folder,
    home,
    target: "process",
    server,
    ports: {},
    files: {},
  };
  const definition = definitionIn(folder);
  const engine = engineOn(server);
  const said: string[] = [];
  let state: StateStore | null = null;
  const run = async (epoch: number): Promise<Run> => {
    state ??= await createState(site, definition);
    return { site, definition, state, epoch, runId: `run-${epoch}`, log: (_severity, line) => void said.push(line) };
  };
  const sql: Stand["sql"] = async <Row extends object>(text: string) =>
    withSession(endpointOf(site), DATABASE, async (client) => (await client.query<Row>(text)).rows);
  const snapshotted: Stand["snapshotted"] = async ({ prepare, baseline = null } = {}) => {
    const first = await run(1);
    await make(first);
    await sql(SCHEMA);
    await prepare?.();
    const second = await run(2);
    await engine.keepProperties(second, DATABASE, true);
    await engine.close(second, DATABASE);
    const begun = await second.state.beginSnapshot(
      { database: DATABASE, name: "before-v2", driver: engine.driver(second), epoch: 2, release: "v1", automatic: true },
      (generation) => engine.snapshotLocation(second, DATABASE, "before-v2", generation),
    );
    await second.state.finishSnapshot(begun.id, { ...(await engine.takeSnapshot(second, begun, false)), baseline });
    return { run: second, snapshot: (await second.state.readySnapshots())[0]! };
  };
  const left: Stand["left"] = async (kept) => {
    const { run: second } = await snapshotted(kept);
    await engine.admit(second, DATABASE, "everybody");
    await sql(SINCE);
    const third = await run(3);
    await engine.keepProperties(third, DATABASE, true);
    await engine.close(third, DATABASE);
    const plan = { forward: false, fenceData: true, databases: { [DATABASE]: planOf(RESTORE) } } as unknown as RolloutPlan;
    await third.state.beginRollout({ epoch: 3, rollout: "rollout-3", pins: PINS, plan, runId: "run-3", reason: null });
    return { run: third, snapshot: (await third.state.readySnapshots())[0]! };
  };
  return {
    site,
    engine,
    folder,
    said,
    run,
    sql,
    snapshotted,
    left,
    cutOver: async () => {
      const { run: third, snapshot } = await left();
      await engine.cutOver(third, DATABASE, RESTORE, snapshot);
      return third;
    },
    end: async () => {
      await state?.end();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Every row, whatever policies say: as only a superuser sees it. */
export async function whole(superuser: Parameters<typeof connect>[0], table: string): Promise<unknown[]> {
  return withSession(superuser, DATABASE, async (client) => (await client.query<object>(`SELECT * FROM ${table} ORDER BY id`)).rows);
}
