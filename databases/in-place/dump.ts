/** A dump of the system's own part of a database: rows and definitions, with what a restore needs to know besides. */
import { mkdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Client } from "pg";
import type { Endpoint } from "../../config/endpoint.ts";
import { SnapshotExistsError } from "../postgres/drivers/driver.ts";
import { JOBS } from "../postgres/drivers/dump.ts";
import {
  DamagedDumpError,
  hashFiles,
  makingFolder,
  readManifest,
  verifyDump,
  writeManifest,
  type DumpManifest,
} from "../postgres/drivers/dump-manifest.ts";
import type { Manifest } from "../postgres/manifest-shape.ts";
import { dumpedSequences } from "../postgres/drivers/dumped-sequences.ts";
import { atOneMoment } from "../postgres/one-moment.ts";
import { readProperties } from "../postgres/properties.ts";
import { databaseSizeBytes } from "../postgres/space.ts";
import { captureContent } from "./content.ts";
import { readExtent, type Extent } from "./extent.ts";
import { withoutForce } from "./forced-rls.ts";
import { readSurroundings, type Surroundings } from "./surroundings.ts";
import { connectionString, runTool, serverArguments, toolsOf } from "./tools.ts";

/** What a dump does not carry by itself. */
export interface InPlaceFacts extends Extent, Surroundings {
  /** Content, as it was when it was dumped: what a restore is compared with. */
  content: Manifest;
  /** Tables whose policies count for their owner, too: forced again at the end of a restore. */
  forced: string[];
  /** Materialised views that were filled; the others stay empty. */
  filledViews: string[];
}

const FACTS = "backout-in-place.json";

/** What both sides of a dump need. `client` is a session in the database, which must be fenced, or said to be open. */
export interface InPlace {
  client: Client;
  endpoint: Endpoint;
}

/**
 * Writes the dump into `folder`, under another name until it is complete; what an interrupted attempt left is removed first.
 * @param open the database is open, and others write to it: the dump holds what was committed when it began
 * @throws SnapshotExistsError, ClientToolsMissingError, DumpToolError
 */
export async function takeDump(at: InPlace, folder: string, { open = false }: { open?: boolean } = {}): Promise<InPlaceFacts> {
  const { client, endpoint } = at;
  const tools = await toolsOf(client);
  if (await isThere(folder)) throw new SnapshotExistsError(folder);
  const making = makingFolder(folder);
  await rm(making, { recursive: true, force: true });
  await mkdir(dirname(folder), { recursive: true, mode: 0o700 });
  const database = (await client.query<{ name: string }>("SELECT current_database() AS name")).rows[0]!.name;
  const extent = await readExtent(client);
  const surroundings = await readSurroundings(client, extent);
  const dumpAndRead = async (forced: string[], moment: string[] = []): Promise<InPlaceFacts> => {
    await runTool(
      tools,
      "pgDump",
      [
        "--no-password",
        "--format=directory",
        "--blobs",
        `--jobs=${JOBS}`,
        `--file=${making}`,
        ...moment,
        ...extent.leftAlone.map((schema) => `--exclude-schema="${schema.replaceAll('"', '""')}"`),
        // They stay as they are, and this role may not be allowed to read them.
        ...(await extensionTables(client)).map((table) => `--exclude-table-data=${table}`),
        ...serverArguments(endpoint),
        `--dbname=${connectionString(database)}`,
      ],
      endpoint,
    );
    const content = await captureContent(client, extent);
    return { ...extent, ...surroundings, content, forced, filledViews: await filledViews(client, extent) };
  };
  const facts = open ? await whileOpen(client, making, dumpAndRead) : await withoutForce(client, (forced) => dumpAndRead(forced));
  await writeFile(join(making, FACTS), `${JSON.stringify(facts)}\n`, { mode: 0o600 });
  await writeManifest(making, await describe(client, database, making, tools.version, facts));
  await rename(making, folder);
  return facts;
}

/** Dump and content of one moment; values of sequences, which belong to no moment, as the dump has them. */
async function whileOpen(
  client: Client,
  folder: string,
  work: (forced: string[], moment: string[]) => Promise<InPlaceFacts>,
): Promise<InPlaceFacts> {
  const facts = await atOneMoment(client, (moment) => work([], [`--snapshot=${moment}`]));
  const sequences = { ...facts.content.sequences, ...(await dumpedSequences(client, folder)) };
  return { ...facts, content: { ...facts.content, sequences } };
}

async function extensionTables(client: Client): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT format('%I.%I', n.nspname, c.relname) AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'p') AND EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e') ORDER BY 1`,
  );
  return rows.map(({ name }) => name);
}

/** In the order in which they were made, so that one that reads another comes after it. */
async function filledViews(client: Client, { schemas }: Extent): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT format('%I.%I', n.nspname, c.relname) AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind = 'm' AND c.relispopulated AND n.nspname = ANY ($1) ORDER BY c.oid`,
    [schemas],
  );
  return rows.map(({ name }) => name);
}

async function describe(client: Client, database: string, folder: string, version: string, facts: InPlaceFacts): Promise<DumpManifest> {
  const { encoding, collate, ctype, provider, locale } = await readProperties(client, database);
  const { rows } = await client.query<{ version: string }>("SELECT current_setting('server_version') AS version");
  return {
    format: 1,
    source: database,
    serverVersion: rows[0]?.version ?? "",
    toolVersion: version,
    takenAt: new Date().toISOString(),
    databaseBytes: await databaseSizeBytes(client, database),
    ...{ encoding, collate, ctype, provider, locale },
    materializedViews: facts.filledViews,
    files: await hashFiles(folder),
  };
}

/** Reads every file of the dump and what it says of itself. @throws DamagedDumpError */
export async function readDump(folder: string): Promise<InPlaceFacts> {
  await verifyDump(folder);
  try {
    const facts = JSON.parse(await readFile(join(folder, FACTS), "utf8")) as Partial<InPlaceFacts>;
    if (facts.grants === undefined) throw new Error("it was written by an older version, which kept less than a restore needs");
    return facts as InPlaceFacts;
  } catch (error) {
    throw new DamagedDumpError(folder, [`${FACTS} cannot be read (${(error as Error).message})`]);
  }
}

export async function removeDump(folder: string): Promise<"already" | "removed"> {
  await rm(makingFolder(folder), { recursive: true, force: true });
  if (!(await isThere(folder))) return "already";
  await readManifest(folder);
  await rm(folder, { recursive: true, force: true });
  return "removed";
}

/** Bytes on disk. */
export async function dumpBytes(folder: string): Promise<number> {
  return Object.values((await readManifest(folder)).files).reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
}

async function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
