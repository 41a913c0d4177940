/**
 * Brings a dump back into the database it came from, in one transaction: what is there goes, what the dump holds comes, views are filled, and the
 * caller's record of it is written. Killed anywhere, either nothing or all of it has happened. Slower than a rename, and users wait.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { withSession } from "../postgres/connection.ts";
import { type Endpoint } from "../../config/endpoint.ts";
import { quote } from "../shared/identifiers.ts";
import type { Client } from "pg";
import type { ClientTools } from "../postgres/drivers/client-tools.ts";
import { compareRestored } from "../postgres/manifest.ts";
import type { Manifest } from "../postgres/manifest-shape.ts";
import { readDump, type InPlace, type InPlaceFacts } from "./dump.ts";
import { InPlaceRestoreError } from "./errors.ts";
import { captureContent } from "./content.ts";
import { readExtent } from "./extent.ts";
import { assertClosed } from "./fence.ts";
import { refuseUnfitting } from "./obstacles.ts";
import { putForceBack, withoutForce } from "./forced-rls.ts";
import { framing, type Framing } from "./framing.ts";
import { chosenEntries, connectionString, ended, runTool, serverArguments, startTool, toolsOf, type Choice } from "./tools.ts";

export interface InPlaceRestored {
  /** Time of the whole transaction. */
  restoreMs: number;
  refreshed: string[];
}

/** Sections of a manifest that a restore must bring back as they were; views are filled anew, and force comes last. */
const COMPARED: (keyof Manifest)[] = [
  "tables",
  "sequences",
  "constraints",
  "indexes",
  "triggers",
  "policies",
  "rowSecurity",
  "views",
  "functions",
  "columns",
];

export interface RestoreRecord {
  /** Statements of the caller's, run last in the same transaction: they are there exactly when the restore is. */
  statements: readonly string[];
  /** Runs when everything is done and nothing is kept yet. */
  beforeCommit?: () => Promise<void>;
}

/**
 * @throws NotFencedError, DamagedDumpError, DriverRefusedError: nothing was changed. @throws InPlaceRestoreError: all of it was rolled back
 */
export async function restoreInPlace(at: InPlace, folder: string, record: RestoreRecord): Promise<InPlaceRestored> {
  const { client } = at;
  await putForceBack(client);
  await assertClosed(client);
  const facts = await readDump(folder);
  await refuseUnfitting(client, facts);
  const startedAt = performance.now();
  await inOneTransaction(at, folder, facts, [], await framing(client, facts), async ({ write, done }) => {
    await write(record.statements);
    if (await done()) await record.beforeCommit?.();
    await write(["COMMIT"]);
  });
  return { restoreMs: performance.now() - startedAt, refreshed: facts.filledViews };
}

/**
 * Does everything a restore does except for the rows, in the same database and as the same role, then rolls it back. Inside the fence: it locks all tables.
 * @throws DriverRefusedError, InPlaceRestoreError: the snapshot could not be brought back into what is there now
 */
export async function tryInPlace(at: InPlace, folder: string): Promise<void> {
  await putForceBack(at.client);
  await assertClosed(at.client);
  const facts = await readDump(folder);
  await refuseUnfitting(at.client, facts);
  await inOneTransaction(at, folder, facts, ["--schema-only"], await framing(at.client, facts), async ({ write, done }) => {
    await done();
    await write(["ROLLBACK"]);
  });
}

interface Transaction {
  write: (statements: readonly string[]) => Promise<void>;
  /** True when everything so far was done, false when it failed. */
  done: () => Promise<boolean>;
}

async function inOneTransaction(
  { client, endpoint }: InPlace,
  folder: string,
  facts: InPlaceFacts,
  options: readonly string[],
  { before, after, publications }: Framing,
  end: (transaction: Transaction) => Promise<void>,
): Promise<void> {
  const tools = await toolsOf(client);
  const { rows } = await client.query<{ name: string }>("SELECT current_database() AS name");
  const database = rows[0]!.name;
  const choice: Choice = { purpose: "restore", without: facts.extensionTables, publications };
  await withEntries(tools, endpoint, folder, choice, async (list) => {
    const script = startTool(tools, "pgRestore", [...options, `--use-list=${list}`, "--file=-", folder], endpoint, [
      "ignore",
      "pipe",
      "pipe",
    ]);
    const psql = startTool(
      tools,
      "psql",
      [
        "--no-psqlrc",
        "--quiet",
        "--no-password",
        "--set=ON_ERROR_STOP=1",
        "--output=/dev/null",
        "--file=-",
        ...serverArguments(endpoint),
        `--dbname=${connectionString(database)}`,
      ],
      endpoint,
      ["pipe", "pipe", "pipe"],
    );
    const reached = heard(psql.stdout!, DONE);
    let said = "";
    for (const stream of [script.stderr!, psql.stderr!])
      stream.setEncoding("utf8").on("data", (text: string) => (said = (said + text).slice(-8_000)));
    // What psql does not read any more has nowhere to go: its own end says why.
    psql.stdin!.on("error", () => undefined);
    const [scriptEnded, psqlEnded] = [ended(script), ended(psql)];
    const send = (statements: readonly string[]): Promise<void> => write(psql.stdin!, statements.map((one) => `${one};\n`).join(""));
    await send(["BEGIN", "SET LOCAL client_min_messages = warning", ...before]);
    await pour(script.stdout!, psql.stdin!);
    const made = await scriptEnded;
    // Without its COMMIT the transaction is rolled back when psql ends.
    if (made === 0) {
      await send(["RESET search_path", ...after]);
      await end({
        write: send,
        done: async () => {
          await write(psql.stdin!, `\\echo ${DONE}\n`);
          return reached;
        },
      });
    }
    psql.stdin!.end();
    const code = await psqlEnded;
    if (made !== 0 || code !== 0) throw new InPlaceRestoreError(database, said.trim() || `the tools ended with ${made} and ${code}`);
  });
}

/** What psql prints when it has done everything but the commit. */
const DONE = "backout: restored, not committed";

/** True as soon as the stream says the line, false when it ends without it; what else it says is read and left. */
function heard(stream: Readable, line: string): Promise<boolean> {
  return new Promise((resolve) => {
    const lines = createInterface({ input: stream });
    lines.on("line", (said) => said === line && resolve(true));
    lines.once("close", () => resolve(false));
  });
}

async function withEntries(
  tools: ClientTools,
  endpoint: Endpoint,
  folder: string,
  choice: Choice,
  work: (list: string) => Promise<void>,
): Promise<void> {
  const entries = chosenEntries(await runTool(tools, "pgRestore", ["--list", folder], endpoint), choice);
  const place = await mkdtemp(join(tmpdir(), "backout-entries-"));
  try {
    const list = join(place, "entries");
    await writeFile(list, entries);
    await work(list);
  } finally {
    await rm(place, { recursive: true, force: true });
  }
}

/** Restores the rows of a dump into an empty database of another server, to be read and compared: without roles, policies and triggers. */
export async function restoreForReading(at: InPlace, folder: string, target: { endpoint: Endpoint; database: string }): Promise<void> {
  const tools = await toolsOf(at.client);
  const facts = await readDump(folder);
  await withSession(target.endpoint, target.database, (client) => provide(client, facts));
  const choice: Choice = { purpose: "read", without: [...facts.extensionTables, ...facts.unreadable] };
  await withEntries(tools, target.endpoint, folder, choice, async (list) => {
    await runTool(
      tools,
      "pgRestore",
      [
        "--no-password",
        "--exit-on-error",
        "--no-owner",
        "--no-privileges",
        `--use-list=${list}`,
        ...serverArguments(target.endpoint),
        `--dbname=${connectionString(target.database)}`,
        folder,
      ],
      target.endpoint,
    );
  });
}

/** What others provide where the dump comes from: schemas, extensions, and functions by which defaults and constraints are computed. */
async function provide(client: Client, { schemas, extensions, functions }: InPlaceFacts): Promise<void> {
  const needed = new Set([...schemas, ...extensions.map(({ schema }) => schema), ...functions.map(({ schema }) => schema)]);
  for (const schema of needed) await client.query(`CREATE SCHEMA IF NOT EXISTS ${quote(schema)}`);
  for (const { name, schema } of extensions)
    await client.query(`CREATE EXTENSION IF NOT EXISTS ${quote(name)} SCHEMA ${quote(schema)} CASCADE`);
  await client.query("SET check_function_bodies = off");
  // One that needs more of others than this is missed where something needs it.
  for (const { definition } of functions) await client.query(definition).catch(() => undefined);
}

/** How the database differs from what was dumped; empty when it does not. Inside the fence. */
export async function differencesFrom(at: Pick<InPlace, "client">, folder: string): Promise<string[]> {
  const facts = await readDump(folder);
  const extent = await readExtent(at.client);
  const now = await withoutForce(at.client, () => captureContent(at.client, extent));
  // Both sides were looked at with the force lifted.
  return compareRestored(facts.content, now, [], COMPARED);
}

function write(stream: Writable, text: string): Promise<void> {
  return new Promise((resolve) => {
    if (stream.destroyed || stream.write(text)) return resolve();
    stream.once("drain", resolve);
    stream.once("close", resolve);
  });
}

/** Like a pipe that leaves the other end open. */
async function pour(from: Readable, to: Writable): Promise<void> {
  for await (const chunk of from as AsyncIterable<Buffer>) {
    if (to.destroyed) break;
    if (!to.write(chunk))
      await new Promise<void>((resolve) => {
        to.once("drain", resolve);
        to.once("close", resolve);
      });
  }
}
