/** The drill and its witness in SQLite files: their own look, whatever the toolkit says. */
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { contentDifferences } from "../../drill/contents.ts";
import { filesOutside } from "../../drill/outside-files.ts";
import type { Stage } from "../../drill/stage.ts";
import { readContent, UnreadableDatabaseError } from "../../drill/witness/content.ts";
import type { Memory } from "../../drill/witness/memory.ts";

let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), "backout-drill-files-"))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function made(name: string, sql: string): string {
  const path = join(folder, name);
  const db = new DatabaseSync(path);
  db.exec(sql);
  db.close();
  return path;
}

const outside = (): ReturnType<typeof filesOutside> =>
  filesOutside({
    site: { home: join(folder, "home"), files: { shop: join(folder, "live.db") } },
    definition: { databases: { shop: { tables: ["notes"] } } },
  } as unknown as Stage);

const TABLES = "CREATE TABLE notes (id TEXT PRIMARY KEY, body TEXT, extra BLOB); CREATE TABLE log (line TEXT);";

describe("what the rows of a file are", () => {
  it("the same in any order, without the witness's; another value, a lost row and a lost table show", async () => {
    const one = made("one.db", `${TABLES} INSERT INTO notes VALUES ('a', 'x', x'00'), ('b', NULL, NULL), ('W-1-2', 'mine', NULL)`);
    const same = made("same.db", `${TABLES} INSERT INTO notes VALUES ('b', NULL, NULL), ('a', 'x', x'00')`);
    const other = made("other.db", `${TABLES} DROP TABLE log; INSERT INTO notes VALUES ('a', 'x', '00'), ('b', NULL, NULL)`);
    const before = await outside().contents(one, "W-1-");
    expect(before["notes"]?.rows).toBe(2);
    expect(contentDifferences(before, await outside().contents(same, "W-1-"))).toEqual([]);
    const differing = contentDifferences(before, await outside().contents(other));
    expect(differing.map(({ table, after }) => [table, after?.rows ?? null])).toEqual([
      ["log", null],
      ["notes", 2],
    ]);
  });

  it("what differs between two files is counted by key, and by whole rows without one", async () => {
    const base = made(
      "base.db",
      `${TABLES} INSERT INTO notes VALUES ('a', '1', NULL), ('b', '2', NULL); INSERT INTO log VALUES ('x'), ('x'), ('y')`,
    );
    const current = made(
      "current.db",
      `${TABLES} INSERT INTO notes VALUES ('b', '3', NULL), ('c', '4', NULL); INSERT INTO log VALUES ('x'), ('z')`,
    );
    expect(await outside().differences(base, current)).toEqual({
      notes: { inserted: 1, updated: 1, deleted: 1 },
      log: { inserted: 1, updated: 0, deleted: 2 },
    });
  });

  it("what was set aside, the snapshot and the times come from the state file by its own reading", async () => {
    mkdirSync(join(folder, "home", "state"), { recursive: true });
    const quarantine = made("q.db", `${TABLES} INSERT INTO notes VALUES ('W-1-1', 'mine', NULL), ('a', 'x', NULL)`);
    made(
      join("home", "state", "state.db"),
      `CREATE TABLE databases (name, database, role, epoch, path); INSERT INTO databases VALUES ('shop_quarantine_3', 'shop', 'quarantine', 3, '${quarantine}'), ('shop', 'shop', 'live', 3, 'x'), ('shop_quarantine_4', 'shop', 'quarantine', 4, 'data/q4.db');
       CREATE TABLE snapshots (database, name, generation, location); INSERT INTO snapshots VALUES ('shop', 'before-v2', 2, '/pristine.db');
       CREATE TABLE journal (id INTEGER PRIMARY KEY, epoch, phase, kind, status, at);
       INSERT INTO journal (epoch, phase, kind, status, at) VALUES (3, 'fence', 'close-data', 'finished', '2026-01-01T00:00:01.500Z'), (3, 'verify', 'check', 'finished', '2026-01-01T00:00:04.000Z'), (3, 'verify', 'results', 'finished', '2026-01-01T00:00:09.000Z')`,
    );
    const [found] = await outside().quarantines(3);
    expect(found).toEqual({ name: "shop_quarantine_3", database: "shop", place: quarantine });
    const [moved] = await outside().quarantines(4);
    expect(moved?.place, "named from the home").toBe(join(folder, "home", "data", "q4.db"));
    expect(await outside().pristine("shop", "before-v2@2")).toBe("/pristine.db");
    expect(await outside().pristine("shop", "before-v2@1")).toBeNull();
    const times = await outside().journalTimes(3);
    expect([times.fencedAt, times.verifiedAt]).toEqual([Date.parse("2026-01-01T00:00:01.500Z"), Date.parse("2026-01-01T00:00:04.000Z")]);
    expect(await outside().quarantineFacts(found!, { table: "notes", key: "id" }, "W-1-")).toEqual({
      name: "shop_quarantine_3",
      exists: true,
      witnessRows: 1,
    });
    const gone = { name: "shop_quarantine_2", place: join(folder, "gone.db") };
    expect(await outside().quarantineFacts(gone, { table: "notes", key: "id" }, "W-1-")).toMatchObject({ exists: false });
    expect(existsSync(gone.place)).toBe(false);
  });
});

describe("the witness in a file", () => {
  const memory = { run: "1", table: "notes", key: "id", value: "body" } as unknown as Memory;
  const address = (file: string) => ({ file, database: "live" });

  it("finds its rows and nobody else's", async () => {
    const file = made(
      "live.db",
      `${TABLES} INSERT INTO notes VALUES ('W-1-1', 'mine', NULL), ('W-1-2', NULL, NULL), ('xW-1-3', 'no', NULL), ('W-11-1', 'other', NULL)`,
    );
    const { content, exists } = await readContent(memory, address(file), "error");
    expect([exists, [...content]]).toEqual([
      true,
      [
        ["W-1-1", "mine"],
        ["W-1-2", "NULL"],
      ],
    ]);
  });

  it("a quarantine that is gone holds nothing; live data that is gone or damaged cannot be judged, and is not made", async () => {
    const gone = join(folder, "gone.db");
    expect(await readContent(memory, address(gone), "empty")).toMatchObject({ exists: false });
    await expect(readContent(memory, address(gone), "error")).rejects.toThrow(UnreadableDatabaseError);
    expect(existsSync(gone)).toBe(false);
    const bare = made("bare.db", "CREATE TABLE other (id)");
    expect(await readContent(memory, address(bare), "empty")).toMatchObject({ exists: false });
    await expect(readContent(memory, address(bare), "error")).rejects.toThrow(/no such table/);
  });
});
