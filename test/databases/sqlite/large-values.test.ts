/** Values that no string can hold: compared, named, and left where they are. */
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { compareEverything } from "../../../databases/sqlite/comparison.ts";
import { all, openFile } from "../../../databases/sqlite/database.ts";
import { exportDifferences } from "../../../databases/sqlite/export.ts";
import { reapply } from "../../../databases/sqlite/reapply.ts";

let folder: string;
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), "backout-sqlite-large-"))));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const MIB = 1024 * 1024;

test(
  "a value that no string can hold is left out of its row, named before and in the manifest, and never put back as nothing",
  { timeout: 120_000 },
  async () => {
    const [base, current, live] = ["base", "current", "live"].map((name) => openFile(join(folder, `${name}.db`)));
    base!.exec(`CREATE TABLE docs (id INTEGER PRIMARY KEY, title TEXT, data BLOB); CREATE TABLE bare (data, note);
      INSERT INTO docs VALUES (1, 'changed', zeroblob(${21 * MIB})), (2, 'same', zeroblob(${21 * MIB})), (3, 'renamed', zeroblob(${21 * MIB}));
      INSERT INTO bare VALUES (zeroblob(${21 * MIB}), 'same'), (hex(zeroblob(${21 * MIB})), 'text')`);
    for (const name of ["current", "live"]) copyFileSync(join(folder, "base.db"), join(folder, `${name}.db`));
    current!.exec(`UPDATE docs SET data = zeroblob(${21 * MIB + 1}) WHERE id = 1; UPDATE docs SET title = 'now' WHERE id = 3;
      INSERT INTO docs VALUES (4, 'no string holds it', zeroblob(${257 * MIB})), (5, 'small', x'00'), (6, 'not too large', zeroblob(${MIB}));
      INSERT INTO bare VALUES (zeroblob(${21 * MIB}), 'came')`);
    try {
      const { tables, notCompared } = await compareEverything(base!, current!);
      expect(tables).toMatchObject({
        docs: { inserted: 3, updated: 2, deleted: 0, tooLarge: { data: 3 } },
        bare: { inserted: 1, updated: 0, deleted: 0, tooLarge: { data: 1 } },
      });
      const told = [{ name: "bare, column data" }, { name: "docs, column data", mayBeLost: true }];
      expect(notCompared).toMatchObject(told);
      const manifest = await exportDifferences({ base: base!, current: current!, folder, runId: "r" });
      expect(manifest.notCompared).toMatchObject(told);
      const lines = readFileSync(join(folder, "r.docs.jsonl"), "utf8").trimEnd().split("\n");
      expect(lines.map((line) => JSON.parse(line) as unknown)).toContainEqual({
        op: "update",
        key: { id: "3" },
        before: { id: "3", title: "renamed", data: null },
        row: { id: "3", title: "now", data: null },
        tooLarge: { before: ["data"], row: ["data"] },
      });
      const result = await reapply({ live: live!, folder, runId: "r" });
      expect(result.tables).toMatchObject({ docs: { inserted: 2, conflicts: 3 }, bare: { inserted: 0, conflicts: 1 } });
      expect(all(live!, "SELECT id, title, length(data) AS bytes FROM docs ORDER BY 1")).toEqual([
        { id: 1, title: "changed", bytes: 21 * MIB },
        { id: 2, title: "same", bytes: 21 * MIB },
        { id: 3, title: "renamed", bytes: 21 * MIB },
        { id: 5, title: "small", bytes: 1 },
        { id: 6, title: "not too large", bytes: MIB },
      ]);
    } finally {
      for (const file of [base, current, live]) file!.close();
    }
  },
);
