/** Snapshots as folders written by pg_dump: slower than copies, but they leave the server. */
import { spawn } from "node:child_process";
import { mkdir, rename, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";
import type pg from "pg";
import { APPLICATION_NAME, passwordOf, withSession } from "../connection.ts";
import { type Endpoint } from "../../../config/endpoint.ts";
import { quote } from "../../shared/identifiers.ts";
import { allowConnections, isSuperuser, limitConnections } from "../fence.ts";
import { readProperties, type DatabaseProperties } from "../properties.ts";
import { toolOptions } from "../session-settings.ts";
import { databaseSizeBytes } from "../space.ts";
import { findClientTools, type ClientTools } from "./client-tools.ts";
import { SnapshotExistsError, type Restored, type SnapshotDriver } from "./driver.ts";
import { hashFiles, makingFolder, readManifest, verifyDump, writeManifest, type DumpManifest } from "./dump-manifest.ts";
import { makeComplete } from "./making.ts";

/** Parallel jobs of both tools. */
export const JOBS = 2;

export interface DumpDriverOptions {
  /** A session in a database that is neither source nor target, outside a transaction. */
  admin: pg.Client;
  /** How the tools reach the same server. */
  endpoint: Endpoint;
}

/** pg_dump or pg_restore failed; `output` is what it said. */
export class DumpToolError extends Error {
  readonly tool: string;
  readonly output: string;
  constructor(tool: string, code: number | string | null, output: string) {
    const advice = /row-level security/.test(output)
      ? "\nRow level security hides rows from this role: use a superuser, or a role with BYPASSRLS"
      : "";
    super(`${tool} failed (${code}): ${output}${advice}`);
    this.name = "DumpToolError";
    this.tool = tool;
    this.output = output;
  }
}

export function dumpDriver(options: DumpDriverOptions): SnapshotDriver {
  const { admin, endpoint } = options;
  const tools = (): Promise<ClientTools> => toolsFor(options);
  return {
    check: async () => {
      await tools();
      if (!(await isSuperuser(admin)))
        throw new Error("the dump driver needs a superuser: row level security and ownership are kept only then");
    },
    take: async (source, folder, moment) => {
      const found = await tools();
      if (await isThere(folder)) throw new SnapshotExistsError(folder);
      const making = makingFolder(folder);
      await rm(making, { recursive: true, force: true });
      await mkdir(dirname(folder), { recursive: true });
      await reachableToTools(admin, source, async () => {
        const { encoding } = await readProperties(admin, source);
        await runTool(found, found.pgDump, [...dumpArguments(endpoint, source, making, JOBS, encoding), ...atMoment(moment)], endpoint);
        await writeManifest(making, await describeDump(options, source, making, found));
      });
      await rename(making, folder);
      return { driver: "dump", location: folder };
    },
    restoreTo: async ({ location }, database): Promise<Restored> => {
      const found = await tools();
      const manifest = await verifyDump(location);
      await makeComplete(admin, database, async (making) => {
        await admin.query(createStatement(making, manifest));
        await runTool(found, found.pgRestore, restoreArguments(endpoint, making, location, JOBS), endpoint);
        await allowConnections(admin, making, false);
        await limitConnections(admin, making, -1);
      });
      return { database, notes: manifest.materializedViews.map((name) => `materialized view ${name} was refreshed by the restore`) };
    },
    remove: async ({ location }) => {
      await rm(makingFolder(location), { recursive: true, force: true });
      if (!(await isThere(location))) return "already";
      await readManifest(location);
      await rm(location, { recursive: true, force: true });
      return "removed";
    },
    sizeBytes: async ({ location }) =>
      Object.values((await readManifest(location)).files).reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    spaceNeededBytes: async (of) =>
      "database" in of ? databaseSizeBytes(admin, of.database) : (await readManifest(of.snapshot.location)).databaseBytes,
  };
}

async function toolsFor({ admin }: DumpDriverOptions): Promise<ClientTools> {
  const { rows } = await admin.query<{ major: number }>("SELECT current_setting('server_version_num')::int / 10000 AS major");
  return findClientTools(rows[0]?.major ?? 0);
}

/** pg_dump has to connect, several times: into a fenced database, as superuser only, for as long as it takes. */
async function reachableToTools(admin: pg.Client, source: string, work: () => Promise<void>): Promise<void> {
  const { allowConnections: open, connectionLimit } = await readProperties(admin, source);
  if (open) return work();
  await limitConnections(admin, source, 0);
  await allowConnections(admin, source, true);
  try {
    await work();
  } finally {
    await allowConnections(admin, source, false);
    await limitConnections(admin, source, connectionLimit);
  }
}

/** @param encoding the database's own: one that a role or a database asks for may lack some of its characters */
export function dumpArguments(endpoint: Endpoint, source: string, folder: string, jobs: number, encoding: string): string[] {
  return [
    "--no-password",
    "--format=directory",
    `--encoding=${encoding}`,
    `--jobs=${jobs}`,
    `--file=${folder}`,
    ...serverArguments(endpoint),
    `--dbname=${connectionString(source)}`,
  ];
}

function atMoment(moment: string | undefined): string[] {
  return moment === undefined ? [] : [`--snapshot=${moment}`];
}

export function restoreArguments(endpoint: Endpoint, database: string, folder: string, jobs: number): string[] {
  // Without --exit-on-error it may exit 0 although something failed.
  return [
    "--no-password",
    "--exit-on-error",
    `--jobs=${jobs}`,
    ...serverArguments(endpoint),
    `--dbname=${connectionString(database)}`,
    folder,
  ];
}

function serverArguments({ host, port, user }: Endpoint): string[] {
  return [`--host=${host}`, `--port=${port}`, `--username=${user}`];
}

/** A bare name with `=` in it would be read as a connection string. */
function connectionString(database: string): string {
  return `dbname='${database.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}

/** Only superusers get in while it is being filled. */
export function createStatement(database: string, { encoding, collate, ctype, provider, locale }: DumpManifest): string {
  const text = (value: string): string => `'${value.replaceAll("'", "''")}'`;
  const own =
    locale === null || provider === "libc"
      ? ""
      : provider === "icu"
        ? ` ICU_LOCALE = ${text(locale)}`
        : ` BUILTIN_LOCALE = ${text(locale)}`;
  const locales = `LC_COLLATE = ${text(collate)} LC_CTYPE = ${text(ctype)} LOCALE_PROVIDER = ${provider}${own}`;
  return `CREATE DATABASE ${quote(database)} TEMPLATE template0 ENCODING ${text(encoding)} ${locales} CONNECTION LIMIT 0`;
}

async function describeDump(
  { admin, endpoint }: DumpDriverOptions,
  source: string,
  folder: string,
  { version }: ClientTools,
): Promise<DumpManifest> {
  const properties: DatabaseProperties = await readProperties(admin, source);
  const { rows } = await admin.query<{ version: string }>("SELECT current_setting('server_version') AS version");
  const views = await withSession(endpoint, source, (client) =>
    client.query<{ name: string }>("SELECT schemaname || '.' || matviewname AS name FROM pg_matviews WHERE ispopulated ORDER BY 1"),
  );
  const { encoding, collate, ctype, provider, locale } = properties;
  return {
    format: 1,
    source,
    serverVersion: rows[0]?.version ?? "",
    toolVersion: version,
    takenAt: new Date().toISOString(),
    databaseBytes: await databaseSizeBytes(admin, source),
    ...{ encoding, collate, ctype, provider, locale },
    materializedViews: views.rows.map(({ name }) => name),
    files: await hashFiles(folder),
  };
}

/** The password goes through the environment, which only the same user can read. */
function runTool({ version }: ClientTools, program: string, args: string[], endpoint: Endpoint): Promise<void> {
  return new Promise((resolve, reject) => {
    const password = passwordOf(endpoint);
    const child = spawn(program, args, {
      env: {
        PATH: process.env["PATH"] ?? "",
        LC_ALL: "C",
        PGAPPNAME: APPLICATION_NAME,
        PGOPTIONS: toolOptions(Number.parseInt(version, 10)),
        ...(password === undefined ? {} : { PGPASSWORD: password }),
      },
      stdio: ["ignore", "ignore", "pipe"],
    });
    let output = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => (output = (output + text).slice(-8_000)));
    child.once("error", reject);
    child.once("close", (code, signal) => (code === 0 ? resolve() : reject(new DumpToolError(program, code ?? signal, output.trim()))));
  });
}

async function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
