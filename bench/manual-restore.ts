/** The manual's way to bring data back: stop the writers, DROP, CREATE, `pg_restore -j2` of a dump, let the writers in. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { passwordOf, withSession } from "../databases/postgres/connection.ts";
import { quote } from "../databases/shared/identifiers.ts";
import { dumpArguments, restoreArguments } from "../databases/postgres/drivers/dump.ts";
import type { BenchServer } from "./server.ts";

const JOBS = 2;

export interface ManualWay {
  database: string;
  /** Everything between the last write before and the first after. */
  restore(): Promise<void>;
}

/** Dumps `source` and makes a database of the same content, which the restore then replaces. */
export async function manualWay(server: BenchServer, source: string, folder: string): Promise<ManualWay> {
  const { endpoint, tools } = server;
  const database = `${source}_manual`;
  const dump = join(folder, "manual-dump");
  await run(server, tools.pgDump, dumpArguments(endpoint, source, dump, JOBS, "UTF8"));
  const fill = async (): Promise<void> => {
    await withSession(endpoint, "postgres", async (client) => {
      for (const statement of replaceStatements(database)) await client.query(statement);
    });
    await run(server, tools.pgRestore, restoreArguments(endpoint, database, dump, JOBS));
    await withSession(endpoint, "postgres", (client) => client.query(admitStatement(database)));
  };
  await fill();
  return {
    database,
    restore: async () => {
      await withSession(endpoint, "postgres", async (client) => {
        await client.query(stopStatement(database));
        await client.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", [database]);
      });
      await fill();
    },
  };
}

/** Superusers still get in: pg_restore is one. */
export function stopStatement(database: string): string {
  return `ALTER DATABASE ${quote(database)} CONNECTION LIMIT 0`;
}
export function replaceStatements(database: string): string[] {
  return [
    `DROP DATABASE IF EXISTS ${quote(database)} WITH (FORCE)`,
    `CREATE DATABASE ${quote(database)} TEMPLATE template0 CONNECTION LIMIT 0`,
  ];
}
export function admitStatement(database: string): string {
  return `ALTER DATABASE ${quote(database)} CONNECTION LIMIT -1`;
}

async function run({ endpoint }: BenchServer, program: string, args: string[]): Promise<void> {
  await promisify(execFile)(program, args, { env: { ...process.env, PGPASSWORD: passwordOf(endpoint) ?? "" } });
}
