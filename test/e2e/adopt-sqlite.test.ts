/** A SQLite file that others made and write to is taken over, deployed, rolled back and given back. */
import { chmodSync, existsSync, mkdirSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { stateFile } from "../../config/site.ts";
import { DESTROY_DATA } from "../../rollout/destroy.ts";
import type { AdoptOutcome } from "../../scripts/verbs/adopt.ts";
import { adoptStand, exportedIds, startWriter, type AdoptStand, type Session, type Writer } from "./adopt-stand.ts";
import { filesBelow } from "./stand.ts";

const DEFINITION = join(import.meta.dirname, "order-shop", "definition.ts");
const RELEASES = { v1: "1_orders", v2: "2_notes" };

let stand: AdoptStand;
let writer: Writer;
let file: string;

const inFile = <T>(work: (db: DatabaseSync) => T): T => {
  const db = new DatabaseSync(file, { timeout: 5000 });
  try {
    return work(db);
  } finally {
    db.close();
  }
};
/** A program that opens the file for each write. It ends for a rollout: one that has the file open then is named, and the rollout refused. */
const opening = (): Promise<Session> =>
  Promise.resolve({
    write: async (id) =>
      Promise.resolve(inFile((db) => void db.prepare("INSERT INTO orders (id, what) VALUES (?, 'from the web')").run(id))),
    end: async () => Promise.resolve(),
  });

/** Files beside it that SQLite makes and removes as it is used. */
const beside = () => readdirSync(join(file, "..")).filter((name) => !/-(wal|shm|journal)$/.test(name));
const theirs = () => ({
  mode: statSync(file).mode,
  uid: statSync(file).uid,
  log: inFile((db) => db.prepare("PRAGMA journal_mode").get()),
  ledger: inFile((db) => db.prepare("SELECT name FROM sqlite_schema WHERE name LIKE '\\_%' ESCAPE '\\'").all()),
  beside: beside(),
});

describe.each(["WAL", "DELETE"])("a file in journal mode %s", (mode) => {
  beforeEach(async () => {
    stand = await adoptStand(DEFINITION, "production", RELEASES, [{ path: ["files"], value: { production: "theirs/shop.db" } }]);
    file = join(stand.folder, "theirs", "shop.db");
    // Paths of a stack file begin at the program's folder.
    stand.pin([{ path: ["files"], value: { production: file } }]);
    mkdirSync(join(stand.folder, "theirs"));
    inFile((db) =>
      db.exec(
        `PRAGMA journal_mode = ${mode}; CREATE TABLE orders (id INTEGER PRIMARY KEY, what TEXT);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500) INSERT INTO orders (what) SELECT 'order ' || i FROM n`,
      ),
    );
    chmodSync(file, 0o640);
  });
  afterEach(async () => {
    await writer?.stop();
    await stand?.destroy();
  });

  test("is refused before it is adopted; looking leaves nothing beside it", async () => {
    const before = { files: filesBelow(stand.folder).sort(), changed: statSync(file).mtimeMs, size: statSync(file).size };
    const { code, json } = await stand.verb<AdoptOutcome>("adopt", "--dry-run", "--baseline", "1_orders");
    expect(code).toBe(0);
    expect(json!.report!.databases["production"]).toMatchObject({ live: file, tables: [{ name: "orders", rows: 500 }], sessions: [] });
    expect({ files: filesBelow(stand.folder).sort(), changed: statSync(file).mtimeMs, size: statSync(file).size }).toEqual(before);
    const refused = await stand.verb("deploy", "v1", "--yes");
    expect(refused.code).toBe(3);
    expect(refused.failure).toMatch(
      /shop\.db was not made by this stack: it has 1 table\(s\), orders\. .*run `.*adopt --stack adopted`, which sets/,
    );
    expect(inFile((db) => db.prepare("SELECT count(*) AS rows FROM orders").get())).toEqual({ rows: 500 });
  });

  test("is adopted, deployed, rolled back, undone and given back, and no acknowledged row is lost", async () => {
    const before = theirs();
    writer = startWriter(opening, { stops: true });
    await writer.writesOn();
    const adopted = await stand.verb<AdoptOutcome>("adopt", "--yes", "--baseline", "1_orders");
    expect(adopted.code, adopted.failure ?? "").toBe(0);
    expect(adopted.json).toMatchObject({ did: "adopted", snapshots: ["adopted@1 of production"], entered: { production: ["1_orders"] } });
    expect((await stand.verb<AdoptOutcome>("adopt", "--yes")).json).toMatchObject({ did: "unchanged" });
    await writer.writesOn();
    expect(writer.refused).toEqual([]);
    for (const [verb, ...given] of [
      ["deploy", "v2", "--yes", "--no-wait"],
      ["rollback", "--scope", "full", "--yes"],
      ["undo", "--yes"],
    ] as const) {
      const done = await writer.during(() => stand.verb(verb, ...given));
      expect(done.code, done.failure ?? "").toBe(0);
      await writer.writesOn();
    }
    const refused = await stand.pulumi(["destroy", "--yes", "--skip-preview"], { [DESTROY_DATA]: "" });
    expect(refused.output).toMatch(/production was adopted and stays in either case/);
    const destroyed = await stand.pulumi(["destroy", "--yes", "--skip-preview"]);
    expect(destroyed.code, destroyed.output).toBe(0);
    await writer.writesOn();
    await writer.stop();
    expect(writer.refused).toEqual([]);
    const rows = new Set(inFile((db) => db.prepare("SELECT id FROM orders").all()).map((row) => Number(row["id"])));
    const exported = exportedIds(stand.stack.home);
    expect(writer.ids.filter((id) => !rows.has(id) && !exported.has(id))).toEqual([]);
    expect([...rows].filter((id) => id <= 500)).toHaveLength(500);
    // The ledger stays: a deployment came after what was entered in it.
    const after = theirs();
    expect({ ...after, ledger: [] }).toEqual({ ...before, ledger: [] });
    expect(existsSync(stateFile(stand.site))).toBe(false);
  });

  test("killed, it is given back by --undo as it was", async () => {
    const before = theirs();
    const text = stand.text();
    for (const point of ["adopt.ledger", "adopt.copying", "adopt.snapshot"]) {
      await stand.killVerb(point, "adopt", "--yes", "--baseline", "1_orders");
      expect((await stand.verb("deploy", "v2", "--yes")).failure).toMatch(/was interrupted/);
      const undone = await stand.verb<AdoptOutcome>("adopt", "--undo", "--yes");
      expect(undone.json, undone.failure ?? "").toMatchObject({ did: "given back" });
      expect(theirs()).toEqual(before);
      expect(stand.text()).toBe(text);
    }
  });
});
