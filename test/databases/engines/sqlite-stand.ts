/** A stack with one SQLite file and no services: what a rollout does with the file, without an engine around it. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SqliteState } from "../../../databases/sqlite/state/file.ts";
import { stateFile, liveFile, type Site } from "../../../config/site.ts";
import type { Pins } from "../../../config/pins.ts";
import { releaseFile } from "../../../databases/sqlite/fence.ts";
import { livePath } from "../../../databases/sqlite/engine/places.ts";
import type { RolloutPlan, DataAction, DatabasePlan } from "../../../config/plan.ts";
import type { Run } from "../../../config/run.ts";
import type { SystemDefinition } from "../../../config/system/definition.ts";

export const DATABASE = "shop";

export function definitionIn(folder: string): SystemDefinition {
  return {
    name: "shop",
    title: "Shop",
    folder,
    services: {},
    stopOrder: [],
    databases: {
      [DATABASE]: {
        engine: "sqlite",
        ledger: "backout",
        migrations: [
          { name: "1_orders", path: "migrations/1_orders" },
          { name: "2_notes", path: "migrations/2_notes" },
        ],
        tables: ["customers", "orders", "notes", "visits"],
        principalTable: "orders",
      },
    },
    listeners: {},
    effects: [],
    scopes: {},
    defaultScope: "restore",
    checks: [],
    maintenanceMessage: "",
    retryAfterSeconds: 1,
  } as unknown as SystemDefinition;
}

const MIGRATIONS: Record<string, { up: string; down: string }> = {
  "1_orders": {
    up: `CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE orders (id INTEGER PRIMARY KEY, customer INTEGER NOT NULL REFERENCES customers (id), amount REAL, label TEXT COLLATE NOCASE);
CREATE TABLE visits (at TEXT, page TEXT);
CREATE TRIGGER seen AFTER INSERT ON orders BEGIN
  INSERT INTO visits (at, page) VALUES ('now', CASE WHEN new.amount > 1 THEN 'big; order' ELSE 'order' END);
END;`,
    down: "DROP TABLE visits; DROP TABLE orders; DROP TABLE customers;",
  },
  "2_notes": { up: "CREATE TABLE notes (code TEXT PRIMARY KEY, body BLOB) WITHOUT ROWID;", down: "DROP TABLE notes;" },
};

export interface Stand {
  folder: string;
  site: Site;
  definition: SystemDefinition;
  live: string;
  /** A run with a state file of its own, as another process would have one. */
  run(epoch: number): Promise<Run>;
  said: string[];
  end(): Promise<void>;
}

export function siteIn(folder: string): Site {
  return {
    stack: "shop",
    system: "shop",
    module: null,
    project: folder,
    home: join(folder, "home"),
    target: "process",
    ports: {},
    files: { [DATABASE]: join(folder, "databases", "production.db") },
  };
}

export function makeStand(): Stand {
  const folder = mkdtempSync(join(tmpdir(), "backout-sqlite-"));
  for (const [name, { up, down }] of Object.entries(MIGRATIONS)) {
    mkdirSync(join(folder, "migrations", name), { recursive: true });
    writeFileSync(join(folder, "migrations", name, "migration.sql"), up);
    writeFileSync(join(folder, "migrations", name, "down.sql"), down);
  }
  const site = siteIn(folder);
  const definition = definitionIn(folder);
  const states: SqliteState[] = [];
  const said: string[] = [];
  return {
    folder,
    site,
    definition,
    live: liveFile(site, DATABASE),
    said,
    run: async (epoch) => {
      const state = await SqliteState.create(stateFile(site));
      states.push(state);
      return { site, definition, state, epoch, runId: `run-${epoch}`, log: (_severity, line) => void said.push(line) };
    },
    end: async () => {
      releaseFile(livePath(site, DATABASE));
      for (const state of states) await state.end();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export function planOf(action: DataAction, change: Partial<DatabasePlan> = {}): DatabasePlan {
  return { action, up: [], back: [], backBy: "keep", ...change };
}

/** Notes that the rollout has begun. */
export async function begin({ state, epoch, runId }: Run, plan: DatabasePlan, fenceData = true): Promise<void> {
  const rollout = { forward: false, fenceData, databases: { [DATABASE]: plan } } as unknown as RolloutPlan;
  await state.beginRollout({ epoch, rollout: `rollout-${epoch}`, pins: PINS, plan: rollout, runId, reason: null });
}

export const PINS = { needs: { [DATABASE]: "1_orders" } } as unknown as Pins;
export const NEWER = { needs: { [DATABASE]: "2_notes" } } as unknown as Pins;
