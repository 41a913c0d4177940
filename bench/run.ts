/** `npm run bench`: what backout promises, measured beside what it is compared with, in one run. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { findProject } from "../scripts/pulumi/project.ts";
import { leftBehind } from "./left-behind.ts";
import { resultOf, table, type Result } from "./results.ts";
import { measureRestores } from "./restore.ts";
import { installedServer, NO_PEER, startServer } from "./server.ts";
import { stackSource } from "./stack.ts";
import { measureUpdates } from "./updates.ts";

const HELP = `Usage: npm run bench [-- --quick] [--json] [--rows 100000,1000000] [--stack <stack>] [--driver template|dump]

Measures, side by side, medians of several turns:
  restore-standby, restore-no-standby   seconds a client that writes all the time by SQL is without an acknowledged write,
                                   in a rollback by pulumi up, against stop, DROP, CREATE, pg_restore -j2 by hand
  rollback-up                      pulumi up that rolls back, against one that changes nothing
  noop-up                          pulumi up that changes nothing, against one of an empty stack

  --quick    without the largest size, at most 5 minutes
  --rows     sizes to restore at, instead of 100000,1000000,5000000
  --stack    whose declared state is imitated (default: that of the default system); it is not touched
  --driver   how snapshots are kept on the server (default: template)
  --json     the results as JSON on standard output instead of the table; progress goes to standard error

The results are also written to bench/results.json.
`;

const SIZES = [100_000, 1_000_000, 5_000_000];
const QUICK_MOST_ROWS = 1_000_000;
const UPDATE_ROWS = 100_000;
const TURNS = 3;
/** Of its five minutes. */
const QUICK_UNHURRIED_MS = 130_000;

interface Options {
  quick: boolean;
  json: boolean;
  sizes: number[];
  stack: string | undefined;
  driver: "template" | "dump";
}

/** Called in a way that cannot be meant. */
class UsageError extends Error {
  override readonly name = "UsageError";
}

function optionsOf(args: string[]): Options | "help" {
  const { values } = parse(args);
  if (values.help === true) return "help";
  const { quick = false, json = false, driver = "template" } = values;
  if (driver !== "template" && driver !== "dump") throw new UsageError(`--driver must be template or dump, not "${driver}"`);
  const sizes = values.rows === undefined ? SIZES.filter((rows) => !quick || rows <= QUICK_MOST_ROWS) : values.rows.split(",").map(Number);
  const wrong = sizes.find((rows) => !Number.isSafeInteger(rows) || rows < 1);
  if (wrong !== undefined) throw new UsageError(`--rows must be whole numbers with commas between them, not "${values.rows}"`);
  return { quick, json, sizes, stack: values.stack, driver };
}

function parse(args: string[]) {
  const flag = { type: "boolean" } as const;
  const text = { type: "string" } as const;
  try {
    return parseArgs({ args, options: { quick: flag, json: flag, help: { ...flag, short: "h" }, rows: text, stack: text, driver: text } });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** A busy machine gets one turn of what is left, so that `--quick` keeps its time; every result says how many it had. */
function turns(quick: boolean): number {
  if (!quick || performance.now() < QUICK_UNHURRIED_MS) return TURNS;
  say("  one turn only: the machine is slow, and --quick has little time left");
  return 1;
}

async function measure({ quick, sizes, stack, driver }: Options): Promise<Result[]> {
  const source = await stackSource(findProject(), stack);
  const installed = await installedServer();
  if (installed === null) say(`No peer for restores: ${NO_PEER}`);
  const results: Result[] = [];
  say(`Updates at ${UPDATE_ROWS.toLocaleString("en")} rows`);
  results.push(...(await measureUpdates({ source, rows: UPDATE_ROWS, repetitions: quick ? 3 : 5, say })).map(resultOf));
  for (const rows of sizes) {
    say(`Restores at ${rows.toLocaleString("en")} rows`);
    const server = installed === null ? null : await startServer(installed);
    const forget = server === null ? undefined : leftBehind(() => server.remove());
    try {
      results.push(...(await measureRestores({ source, rows, repetitions: turns(quick), driver, server, say })).map(resultOf));
    } finally {
      await forget?.();
    }
  }
  return results.sort((a, b) => ORDER.indexOf(a.name) - ORDER.indexOf(b.name) || a.rows - b.rows);
}

const ORDER: Result["name"][] = ["restore-standby", "restore-no-standby", "rollback-up", "noop-up"];

async function main(): Promise<void> {
  try {
    const options = optionsOf(process.argv.slice(2));
    if (options === "help") return void process.stdout.write(HELP);
    const results = await measure(options);
    writeFileSync(join(import.meta.dirname, "results.json"), `${JSON.stringify(results, null, 2)}\n`);
    process.stdout.write(`${options.json ? JSON.stringify(results, null, 2) : table(results)}\n`);
  } catch (error) {
    say((error as Error).message);
    process.exitCode = error instanceof UsageError ? 2 : 1;
  }
}

await main();
