import { readFileSync, statSync } from "node:fs";
import Cursor from "pg-cursor";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { compareEverything } from "../../../databases/postgres/comparison.ts";
import { readManifest, verifyExport } from "../../../databases/postgres/export.ts";
import { reapply } from "../../../databases/postgres/reapply.ts";
import { compareTable } from "./compare-table.ts";
import { reapplyStand, short } from "./reapply-stand.ts";

const stand = reapplyStand();

beforeAll(() => stand.start(), 120_000);
afterEach(() => stand.endSessions());
afterAll(() => stand.remove());

const MIB = 1024 * 1024;
const bytes = (mib: number): string => `convert_to(repeat('x', ${mib * MIB}), 'UTF8')`;

test(
  "a value that no string can hold is left out of its row, named before and in the manifest, and never put back as nothing",
  { timeout: 120_000 },
  async () => {
    const scene = await stand.scene(
      `CREATE TABLE docs (id int PRIMARY KEY, title text, data bytea); CREATE TABLE bare (data bytea, note text);
       INSERT INTO docs VALUES (1, 'changed', ${bytes(21)}), (2, 'same', ${bytes(21)}), (3, 'renamed', ${bytes(21)}); INSERT INTO bare VALUES (${bytes(21)}, 'same')`,
      `UPDATE docs SET data = data || 'y' WHERE id = 1; UPDATE docs SET title = 'now' WHERE id = 3;
       INSERT INTO docs VALUES (4, 'no string holds it', ${bytes(257)}), (5, 'small', 'abc'), (6, 'not too large', ${bytes(8)}); INSERT INTO bare VALUES (${bytes(21)}, 'came')`,
    );
    const told = [
      { name: "docs, column data", kind: "values of", why: expect.stringContaining("3 of the rows") as string, mayBeLost: true },
      { name: "bare, column data", kind: "values of", why: expect.stringContaining("1 of the rows") as string, mayBeLost: true },
    ];
    const base = await stand.open(scene.name);
    const { tables, notCompared } = await compareEverything(base, scene.current);
    expect(tables).toMatchObject({
      docs: { inserted: 3, updated: 2, deleted: 0, tooLarge: { data: 3 } },
      bare: { inserted: 1, updated: 0, deleted: 0 },
    });
    expect(notCompared).toMatchObject(told.toReversed());
    expect((await readManifest(stand.folder, scene.runId))!.notCompared).toMatchObject(told.toReversed());
    const files = await verifyExport(stand.folder, scene.runId);
    const docs = files.find(({ table, kind }) => table === "docs" && kind === "jsonl")!;
    expect(statSync(docs.path).size).toBeLessThan(20 * MIB);
    const lines = readFileSync(docs.path, "utf8").trimEnd().split("\n");
    expect(lines.map((line) => JSON.parse(line) as unknown)).toContainEqual({
      op: "update",
      key: { id: "3" },
      before: { id: "3", title: "renamed", data: null },
      row: { id: "3", title: "now", data: null },
      tooLarge: { before: ["data"], row: ["data"] },
    });

    const result = await reapply({ live: scene.live, folder: stand.folder, runId: scene.runId });
    expect(result.tables).toMatchObject({ docs: { inserted: 2, conflicts: 3 }, bare: { inserted: 0, conflicts: 1 } });
    expect(short(result).filter((line) => line.includes("docs"))).toEqual([
      "insert docs 4: value not held",
      "update docs 1: value not held",
      "update docs 3: value not held",
    ]);
    const { rows } = await scene.live.query("SELECT id, title, octet_length(data) AS bytes FROM docs ORDER BY 1");
    expect(rows).toEqual([
      { id: 1, title: "changed", bytes: 21 * MIB },
      { id: 2, title: "same", bytes: 21 * MIB },
      { id: 3, title: "renamed", bytes: 21 * MIB },
      { id: 5, title: "small", bytes: 3 },
      { id: 6, title: "not too large", bytes: 8 * MIB },
    ]);
  },
);

test("a few long rows among many short ones are asked for a few at a time", { timeout: 60_000 }, async () => {
  // Short rows come first: judged by them alone, all of the long ones would be asked for at once.
  const { current, name } = await stand.scene(
    "CREATE TABLE mixed (id int PRIMARY KEY, t text)",
    `INSERT INTO mixed SELECT g, 'short' FROM generate_series(1001, 3000) g;
     INSERT INTO mixed SELECT g, repeat('x', ${4 * MIB}) FROM generate_series(9001, 9005) g`,
  );
  const asked = vi.spyOn(Cursor.prototype, "read");
  let rows = 0;
  await compareTable(await stand.open(name), current, "mixed", () => void rows++);
  expect(rows).toBe(2005);
  expect(Math.max(...asked.mock.calls.map(([count]) => count))).toBe(15);
});
