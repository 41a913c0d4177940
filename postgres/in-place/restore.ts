/**
 * Brings a dump back into the database it came from, in one transaction: what is there goes, what the dump holds comes, views are filled, and the
 * caller's record of it is written. Killed anywhere, either nothing or all of it has happened. Slower than a rename, and users wait.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import type { Endpoint } from "../connection.ts";
import { captureManifest, compareRestored, type Manifest } from "../manifest.ts";
import { readDump, type InPlace, type InPlaceFacts } from "./dump.ts";
import { InPlaceRestoreError } from "./errors.ts";
import { clearStatements, readExtent } from "./extent.ts";
import { assertClosed } from "./fence.ts";
import { putForceBack, withoutForce } from "./forced-rls.ts";
import { chosenEntries, connectionString, ended, runTool, serverArguments, startTool, toolsOf } from "./tools.ts";

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
 * @throws NotFencedError, DamagedDumpError, ForeignObjectsError: nothing was changed. @throws InPlaceRestoreError: taken back as a whole
 */
export async function restoreInPlace(at: InPlace, folder: string, record: RestoreRecord): Promise<InPlaceRestored> {
  const { client, endpoint } = at;
  await putForceBack(client);
  await assertClosed(client);
  const facts = await readDump(folder);
  const tools = await toolsOf(client, at.toolFolders);
  const { rows } = await client.query<{ name: string }>("SELECT current_database() AS name");
  const database = rows[0]!.name;
  const clear = await clearStatements(client, await readExtent(client));
  const startedAt = performance.now();
  await withEntries(tools.pgRestore, endpoint, folder, "restore", async (list) => {
    const script = startTool(tools.pgRestore, [`--use-list=${list}`, "--file=-", folder], endpoint, ["ignore", "pipe", "pipe"]);
    const psql = startTool(
      tools.psql,
      [
        "--no-psqlrc",
        "--quiet",
        "--no-password",
        "--set=ON_ERROR_STOP=1",
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
    await write(psql.stdin!, ["BEGIN", "SET LOCAL client_min_messages = warning", ...clear].join(";\n") + ";\n");
    await pour(script.stdout!, psql.stdin!);
    const made = await scriptEnded;
    // Without its COMMIT the transaction is taken back when psql ends.
    if (made === 0) {
      await write(psql.stdin!, [...afterStatements(facts), ...record.statements].join(";\n") + ";\n");
      await write(psql.stdin!, `\\echo ${DONE}\n`);
      if (await reached) await record.beforeCommit?.();
      await write(psql.stdin!, "COMMIT;\n");
    }
    psql.stdin!.end();
    const code = await psqlEnded;
    if (made !== 0 || code !== 0) throw new InPlaceRestoreError(database, said.trim() || `the tools ended with ${made} and ${code}`);
  });
  return { restoreMs: performance.now() - startedAt, refreshed: facts.filledViews };
}

/** What psql is told to say when it has done everything but the commit. */
const DONE = "backout: restored, not committed";

/** True as soon as the stream says the line, false when it ends without it; what else it says is read and left. */
function heard(stream: Readable, line: string): Promise<boolean> {
  return new Promise((resolve) => {
    const lines = createInterface({ input: stream });
    lines.on("line", (said) => said === line && resolve(true));
    lines.once("close", () => resolve(false));
  });
}

/** A dump's script empties the search path: what views and their functions name without a schema would not be found. */
function afterStatements({ filledViews, forced }: InPlaceFacts): string[] {
  return [
    "RESET search_path",
    ...filledViews.map((view) => `REFRESH MATERIALIZED VIEW ${view}`),
    ...forced.map((table) => `ALTER TABLE ${table} FORCE ROW LEVEL SECURITY`),
  ];
}

async function withEntries(
  pgRestore: string,
  endpoint: Endpoint,
  folder: string,
  purpose: "restore" | "compare",
  work: (list: string) => Promise<void>,
): Promise<void> {
  const entries = chosenEntries(await runTool(pgRestore, ["--list", folder], endpoint), purpose);
  const place = await mkdtemp(join(tmpdir(), "backout-entries-"));
  try {
    const list = join(place, "entries");
    await writeFile(list, entries);
    await work(list);
  } finally {
    await rm(place, { recursive: true, force: true });
  }
}

/** Restores a dump into an empty database of another server, to be read and compared: without roles, policies and triggers. */
export async function restoreForReading(
  at: Pick<InPlace, "client" | "endpoint" | "toolFolders">,
  folder: string,
  target: { endpoint: Endpoint; database: string },
): Promise<void> {
  const tools = await toolsOf(at.client, at.toolFolders);
  await readDump(folder);
  await withEntries(tools.pgRestore, target.endpoint, folder, "compare", async (list) => {
    await runTool(
      tools.pgRestore,
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

/** How the database differs from what was dumped; empty when it does not. Inside the fence. */
export async function differencesFrom(at: Pick<InPlace, "client">, folder: string): Promise<string[]> {
  const facts = await readDump(folder);
  const { leftAlone } = await readExtent(at.client);
  const now = await withoutForce(at.client, () => captureManifest(at.client, undefined, { excludeSchemas: leftAlone }));
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
