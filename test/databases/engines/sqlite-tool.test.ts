/** A SQLite file that the system's own command migrates: the lock is given up for it alone, and the ledger decides what is left to do. */
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Run } from "../../../config/run.ts";
import { openFile } from "../../../databases/sqlite/database.ts";
import { detectLedger } from "../../../databases/sqlite/detect.ts";
import { closeFile, releaseFile } from "../../../databases/sqlite/fence.ts";
import { endCommands } from "../../../processes/command.ts";
import { sqlite } from "./whole.ts";
import { DATABASE, makeStand, NEWER, PINS, planOf, type Stand } from "./sqlite-stand.ts";

/** Applies or reverts as a tool does that knows its files, each in one transaction with its row. */
const TOOL = `
  const { DatabaseSync } = process.getBuiltinModule("node:sqlite");
  const db = new DatabaseSync(process.env.DATABASE_FILE);
  const ups = { "1_orders": "CREATE TABLE orders (id INTEGER PRIMARY KEY)", "2_notes": "CREATE TABLE notes (id INTEGER PRIMARY KEY)" };
  db.exec("CREATE TABLE IF NOT EXISTS knex_migrations (id INTEGER PRIMARY KEY, name TEXT, batch INTEGER, migration_time TEXT)");
  const goal = process.env.BACKOUT_SCHEMA;
  const done = db.prepare("SELECT name FROM knex_migrations").all().map(({ name }) => name);
  for (const name of Object.keys(ups)) {
    if (name <= goal && !done.includes(name)) db.exec("BEGIN; " + ups[name] + "; INSERT INTO knex_migrations (name) VALUES ('" + name + "'); COMMIT");
    if (name > goal && done.includes(name)) db.exec("BEGIN; DROP TABLE notes; DELETE FROM knex_migrations WHERE name = '" + name + "'; COMMIT");
  }
  console.log("at " + goal + " for " + process.env.BACKOUT_RELEASE);`;

let stand: Stand;
let run: Run;
beforeEach(async () => {
  stand = makeStand();
  writeFileSync(join(stand.folder, "tool.cjs"), TOOL);
  const command = `${process.execPath} tool.cjs 2>/dev/null`;
  Object.assign(stand.definition.databases[DATABASE]!, { ledger: "auto", migrate: command, migrateDown: command });
  run = await stand.run(1);
  await sqlite.make(run, DATABASE);
});
afterEach(() => stand.end());

const pins = (given: typeof PINS) => ({ ...given, release: "v2" });
const facts = () => sqlite.facts(run, DATABASE);
const command = (text: string): void => void (stand.definition.databases[DATABASE]!.migrate = text);

test("up and down by the command, found in the tool's ledger; nothing is run again", async () => {
  const create = planOf({ kind: "create" });
  expect(await sqlite.migrate(run, DATABASE, pins(NEWER), create)).toEqual({
    up: ["1_orders", "2_notes"],
    back: [],
    output: ["at 2_notes for v2"],
  });
  expect(await sqlite.migrate(run, DATABASE, pins(NEWER), create)).toEqual({ up: [], back: [] });
  const down = planOf({ kind: "none" }, { back: ["2_notes"], backBy: "down" });
  expect(await sqlite.migrate(run, DATABASE, pins(PINS), down)).toMatchObject({ up: [], back: ["2_notes"] });
  releaseFile(stand.live);
  const db = openFile(stand.live, { readOnly: true });
  expect(detectLedger(db).map(({ ledger }) => ledger)).toEqual(["knex"]);
  db.close();
  expect(await facts()).toMatchObject({ ledger: "knex", head: "1_orders", applied: ["1_orders"] });
});

test("a command that fails leaves the file closed to others, and says why", async () => {
  command("echo the disk is full >&2; exit 2");
  await expect(sqlite.migrate(run, DATABASE, pins(NEWER), planOf({ kind: "none" }))).rejects.toThrow(/exit code 2: the disk is full/);
  const other = openFile(stand.live, { timeoutMs: 0 });
  expect(() => other.exec("CREATE TABLE x (id int)")).toThrow("locked");
  other.close();
  expect(await closeFile(stand.live)).toMatchObject({ state: "already" });
});

test("a run that is interrupted ends the command, and the next one goes on by the ledger", async () => {
  const migrate = stand.definition.databases[DATABASE]!.migrate!;
  command(`BACKOUT_SCHEMA=1_orders ${migrate}; touch half-way; sleep 600`);
  const interrupted = sqlite.migrate(run, DATABASE, pins(NEWER), planOf({ kind: "none" }));
  interrupted.catch(() => undefined);
  while (!existsSync(join(stand.folder, "half-way"))) await sleep(20);
  endCommands();
  await expect(interrupted).rejects.toThrow("SIGKILL");
  command(migrate);
  expect((await sqlite.migrate(run, DATABASE, pins(NEWER), planOf({ kind: "none" }))).up).toEqual(["2_notes"]);
});
