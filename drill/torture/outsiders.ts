/**
 * Clients that are neither the services nor backout: a role that may connect because everybody may, and one that was let in by name. Where
 * the data is a file, a process of its own that opens it. Nobody but the gate may keep them out once a rollout has ended.
 */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import pg from "pg";
import { endpointOf, liveFile, liveName } from "../../config/site.ts";
import { inDatabase, type Address } from "../contents.ts";
import type { Stage } from "../stage.ts";
import { drillOf } from "../../config/system/drill.ts";

const PASSWORD = "an outsider's own";
const ROLES = { "torture public": "PUBLIC", "torture named": null } as const;
const CONNECT_LIMIT_MS = 5_000;

/** Makes the roles as an administrator of the database would. */
export async function letOutsidersIn(stage: Stage): Promise<void> {
  const { site, definition } = stage;
  if (site.server === undefined) return;
  const { table } = drillOf(definition).witness;
  const quoted = table.split(".").map((part) => pg.escapeIdentifier(part));
  for (const database of databasesOnServer(stage))
    await inDatabase(addressOf(stage), liveName(site, database), async (client) => {
      for (const [role, through] of Object.entries(ROLES)) {
        const name = pg.escapeIdentifier(role);
        await client.query(
          `DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = ${pg.escapeLiteral(role)}) THEN CREATE ROLE ${name} LOGIN PASSWORD ${pg.escapeLiteral(PASSWORD)}; END IF; END $$`,
        );
        await client.query(`GRANT CONNECT ON DATABASE ${pg.escapeIdentifier(liveName(site, database))} TO ${through ?? name}`);
        if (quoted.length > 1) await client.query(`GRANT USAGE ON SCHEMA ${quoted[0]!} TO ${name}`);
        await client.query(`GRANT SELECT ON ${quoted.join(".")} TO ${name}`);
      }
    });
}

/** Clients that cannot connect or read, and why; empty: all can. */
export async function lockedOut(stage: Stage): Promise<string[]> {
  const { site, definition } = stage;
  const { table } = drillOf(definition).witness;
  const quoted = table.split(".").map((part) => pg.escapeIdentifier(part));
  const out: string[] = [];
  for (const database of databasesOnServer(stage))
    for (const role of Object.keys(ROLES))
      await readAs(stage, role, liveName(site, database), `SELECT count(*) FROM ${quoted.join(".")}`).catch(
        (error: Error) => void out.push(`role "${role}" in ${database}: ${error.message}`),
      );
  for (const [database, { engine }] of Object.entries(definition.databases))
    if (engine === "sqlite")
      await readFile(liveFile(site, database), table).catch(
        (error: Error) => void out.push(`a process that opens ${database}: ${error.message}`),
      );
  return out;
}

async function readAs(stage: Stage, user: string, database: string, sql: string): Promise<void> {
  const { host, port } = addressOf(stage);
  const client = new pg.Client({ host, port, user, password: PASSWORD, database, connectionTimeoutMillis: CONNECT_LIMIT_MS });
  client.on("error", () => undefined);
  try {
    await client.connect();
    await client.query(sql);
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** Opens the file for writing, too, as any other program of the system's owner would: a lock that is held counts. */
async function readFile(file: string, table: string): Promise<void> {
  const program = `
    const { DatabaseSync } = process.getBuiltinModule("node:sqlite");
    const session = new DatabaseSync(process.argv[1], { timeout: 5000 });
    session.exec("BEGIN IMMEDIATE");
    session.prepare('SELECT count(*) AS rows FROM "' + process.argv[2] + '"').get();
    session.exec("ROLLBACK");
    session.close();`;
  await promisify(execFile)(process.execPath, ["--disable-warning=ExperimentalWarning", "-e", program, file, table], { timeout: 20_000 });
}

function databasesOnServer({ definition }: Stage): string[] {
  return Object.entries(definition.databases).flatMap(([name, { engine }]) => (engine === "postgres" ? [name] : []));
}

function addressOf({ site }: Stage): Address {
  const { host, port, user, password, passwordFile } = endpointOf(site);
  return {
    host,
    port,
    user,
    ...(password === undefined ? {} : { password }),
    ...(passwordFile === undefined ? {} : { passwordFile }),
  };
}
