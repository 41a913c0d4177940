/** One transaction taken back, and the projects of an export put in place: exactly that, or nothing at all. */
import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { definition as orbisForge } from "../../../systems/orbis-forge/definition.ts";
import { exportDocument } from "../../../systems/orbis-forge/program/json-operations.ts";
import { writeHistory, type Change, type Row } from "../../../systems/orbis-forge/program/history.ts";
import { seed } from "../../../systems/orbis-forge/seed.ts";
import { makeStand, NEW, type File, type Stand } from "./stand.ts";

const { repairs, tables } = orbisForge.databases["production"]!;
let stand: Stand;
let file: File;
let made = 0;
beforeAll(() => void (stand = makeStand()));
afterAll(() => stand.remove());
beforeEach(async () => {
  file = stand.makeFile(`file-${made++}`, NEW);
  await seed(file.access, 100);
});

const run = (name: string, given: Record<string, string>) =>
  file.session.transaction(() =>
    repairs![name]!.run({ live: file.session, snapshot: null, tables, arguments: given, project: stand.folder }),
  );
const content = () => file.session.all("SELECT * FROM projects ORDER BY id");
const user = { userId: "test-user", role: "editor", accessLevel: "write" };

/** As the program does it: rows and history in one transaction. */
function changing(sql: string, ids: number[], operation: Change["operation"]): Promise<string> {
  const row = async (id: number): Promise<Row | null> =>
    (await file.session.all<Row>("SELECT * FROM projects WHERE id = $1", [id]))[0] ?? null;
  return file.session.transaction(async () => {
    const before = await Promise.all(ids.map(row));
    await file.session.run(sql);
    const after = await Promise.all(ids.map(row));
    const changes = ids.map((id, index): Change => ({
      table: "projects",
      rowId: id,
      code: null,
      operation,
      before: before[index]!,
      after: after[index]!,
    }));
    return writeHistory(file.session, user, "bulk_status", changes);
  });
}

describe("a transaction", () => {
  test("is taken back, and what others did before and after stays", async () => {
    const before = await content();
    const bad = await changing("UPDATE projects SET status = 'archived' WHERE id IN (1, 2)", [1, 2], "update");
    await changing("UPDATE projects SET name = 'renamed since' WHERE id = 5", [5], "update");
    expect(await run("transaction", { transaction: bad })).toEqual({ projects: { inserted: 0, updated: 2, deleted: 0 } });
    const after = await content();
    expect(after.filter(({ id }) => id !== 5)).toEqual(before.filter(({ id }) => id !== 5));
    expect(after.find(({ id }) => id === 5)).toMatchObject({ name: "renamed since" });
    expect(await run("transaction", { transaction: bad })).toEqual({ projects: { inserted: 0, updated: 0, deleted: 0 } });
  });

  test("that made and deleted rows is taken back too", async () => {
    const before = await content();
    const created = await changing("INSERT INTO projects (id, code, name, updated_at) VALUES (900, 'X', 'x', 't')", [900], "create");
    await run("transaction", { transaction: created });
    await file.session.run("DELETE FROM phases WHERE project_id = 3");
    const deleted = await changing("DELETE FROM projects WHERE id = 3", [3], "delete");
    await run("transaction", { transaction: deleted });
    expect(await content()).toEqual(before);
  });

  test("whose rows somebody changed since is not taken back, not even in part", async () => {
    const bad = await changing("UPDATE projects SET status = 'archived' WHERE id IN (1, 2)", [1, 2], "update");
    await changing("UPDATE projects SET status = 'active' , name = 'mended by hand' WHERE id = 1", [1], "update");
    const before = await content();
    await expect(run("transaction", { transaction: bad })).rejects.toThrow(/projects 1 was changed again since/);
    expect(await content()).toEqual(before);
  });

  test("nobody knows of is refused, and so is one that names another table", async () => {
    await expect(run("transaction", { transaction: "tx-none" })).rejects.toThrow(/not found in change_history/);
    await file.session.run(
      "INSERT INTO change_history (changed_at, changed_by, transaction_id, table_name, row_id, operation) VALUES ('t', 'x', 'tx-evil', 'sqlite_schema', 1, 'delete')",
    );
    await expect(run("transaction", { transaction: "tx-evil" })).rejects.toThrow(/sqlite_schema is no table/);
  });
});

describe("an import", () => {
  const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");
  const saved = (name: string, text: string) => {
    writeFileSync(join(stand.folder, name), text);
    return { file: name, sha256: sha256(text) };
  };

  test("puts the exported projects in place of those that are there; a second time there is nothing to do", async () => {
    const before = await content();
    const given = saved("export.json", JSON.stringify(await exportDocument(file.session)));
    await file.session.run("UPDATE projects SET name = 'spoilt' WHERE id = 1");
    await file.session.run("INSERT INTO projects (code, name, updated_at) VALUES ('S-1', 'since', 't')");
    await file.session.run("DELETE FROM projects WHERE id = 2");
    const changed = await run("json-import", given);
    expect(changed["projects"]).toEqual({ inserted: 1, updated: 1, deleted: 1 });
    expect(await content()).toEqual(before);
    expect(await run("json-import", given)).toMatchObject({ projects: { inserted: 0, updated: 0, deleted: 0 } });
    expect(await file.session.all("PRAGMA foreign_key_check")).toEqual([]);
  });

  test("of another file than pinned, or of one whose content does not have its hash, changes nothing", async () => {
    const text = JSON.stringify(await exportDocument(file.session));
    const before = await content();
    const given = saved("export-2.json", text);
    await expect(run("json-import", { ...given, sha256: sha256("other") })).rejects.toThrow(/pinned is/);
    const tampered = saved("export-3.json", text.replace('"Project 1"', '"Project X"'));
    await expect(run("json-import", tampered)).rejects.toThrow(/does not have the sha256/);
    await expect(run("json-import", { file: "gone.json", sha256: sha256("") })).rejects.toThrow(/refused/);
    expect(await content()).toEqual(before);
  });
});
