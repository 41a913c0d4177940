/** OrbisForge on real files: databases at either schema, programs of either release as processes. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { withFileChecks } from "../../../config/checks/load.ts";
import { violationsIn } from "../../../databases/sqlite/violations.ts";
import { sqliteSession } from "../../../databases/sqlite/sql-session.ts";
import type { DrillContext } from "../../../config/system/drill.ts";
import type { CheckContext, DataAccess } from "../../../config/system/check.ts";
import { definition as orbisForge } from "../../../systems/orbis-forge/definition.ts";
import type { RunFacts } from "../../../config/system/evidence.ts";
import type { SqlSession } from "../../../config/system/sql-session.ts";
import { startProgram, type Program } from "../stand.ts";

export const OLD = "v2.4.0";
export const NEW = "phase-3.0.0";
export const secret = (name: string): string => `the ${name}`;

export interface File {
  path: string;
  database: DatabaseSync;
  session: SqlSession;
  access: DataAccess;
}

export interface Stand {
  folder: string;
  makeFile(name: string, release: string): File;
  start(release: string, file: File, config?: Record<string, string>): Promise<Program>;
  remove(): Promise<void>;
}

export function makeStand(): Stand {
  const folder = mkdtempSync(join(tmpdir(), "backout-orbis-"));
  const programs: Program[] = [];
  const files: DatabaseSync[] = [];
  return {
    folder,
    makeFile: (name, release) => {
      const path = join(folder, `${name}.db`);
      const database = new DatabaseSync(path, { timeout: 5000 });
      files.push(database);
      database.exec("PRAGMA journal_mode = WAL");
      for (const migration of migrationsOf(release)) database.exec(migration);
      return { path, database, session: sqliteSession(database), access: accessTo(database) };
    },
    start: async (release, file, config = {}) => {
      const environment = orbisForge.services["app"]!.environment!({ port: 0, release, config, secret, databaseUrl: () => file.path });
      const program = await startProgram(join(orbisForge.folder, "releases", release, "app", "main.ts"), release, environment);
      programs.push(program);
      return program;
    },
    remove: async () => {
      for (const program of programs) await program.stop();
      for (const file of files) file.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export function migrationsOf(release: string, script = "migration.sql"): string[] {
  const { migrations } = orbisForge.databases["production"]!;
  return migrations.slice(0, release === OLD ? 1 : 2).map(({ path }) => readFileSync(join(orbisForge.folder, path, script), "utf8"));
}

function accessTo(database: DatabaseSync): DataAccess {
  return {
    sqlite: () => database,
    database: () => Promise.reject(new Error("there is no PostgreSQL database")),
  };
}

export function checkContext(program: Program, file: File, change: Partial<CheckContext> = {}): CheckContext {
  return {
    ...file.access,
    violations: (query) => violationsIn(file.path, query),
    url: () => program.url,
    fetch: (url, init) => fetch(url, init),
    releases: { app: program.release },
    running: { app: true },
    secret,
    baseline: null,
    dataRestored: false,
    open: false,
    counting: change.open === true ? "any" : "exact",
    errorLog: () => Promise.resolve(program.errorLines()),
    flags: {},
    maintenance: { mode: "off", message: "" },
    schema: "keep",
    observe: () => Promise.resolve({ running: true, release: program.release, pid: program.pid }),
    ...change,
  };
}

export function drillContext(program: Program, file: File, home: string): DrillContext {
  return {
    ...file.access,
    url: () => program.url,
    secret,
    observe: () => Promise.resolve({ running: true, release: program.release, pid: program.pid }),
    runs: () => true,
    home,
    folder: home,
  };
}

export async function runCheck(id: string, context: CheckContext) {
  const check = withFileChecks(orbisForge).checks.find((one) => one.id === id);
  if (check === undefined) throw new Error(`no check ${id}`);
  return check.run(context);
}

export function baselineOf(file: File) {
  const counts: Record<string, number> = {};
  for (const table of orbisForge.databases["production"]!.tables)
    counts[table] = (file.database.prepare(`SELECT count(*) AS rows FROM ${table}`).get() as { rows: number }).rows;
  return { at: "2026-01-01T00:00:00.000Z", release: OLD, counts, latencyMs: 5, flags: {} };
}

export function runFacts(change: Partial<RunFacts> = {}): RunFacts {
  return {
    runId: "rollback-1",
    epoch: 3,
    anchor: "of-bev-phase3-rollback-20260101_120000",
    stamp: "20260101_120000",
    system: "orbis-forge",
    stack: "orbis-forge",
    scope: "full",
    forward: false,
    rollback: true,
    from: NEW,
    to: OLD,
    reason: `INCIDENT-7: it's "broken"`,
    incident: { commander: "the commander on duty", team: "operator, administrator", affectedUsers: "12" },
    startedAt: "2026-01-01T12:00:00.000Z",
    openedAt: "2026-01-01T12:03:00.000Z",
    success: true,
    failure: null,
    data: {
      production: {
        action: "restore",
        from: "before-phase-3.0.0@1",
        at: "2026-01-01T12:01:00.000Z",
        snapshotTakenAt: "2026-01-01T10:00:00.000Z",
        quarantine: "production_quarantine_3",
        rows: 7,
      },
    },
    checks: [{ name: "integrity", status: "passed", detail: "ok" }],
    completion: null,
    steps: [],
    ...change,
  };
}
