/** Restrictions besides the gate: originals first, never overwritten, given back as they were. */
import { expect, test } from "vitest";
import { originalsOf } from "../../rollout/originals.ts";
import { giveBack, restrict } from "../../rollout/protections.ts";
import type { ProtectionDefinition } from "../../config/system/protection.ts";
import { keeping, memory } from "./memory.ts";

const protection: ProtectionDefinition = {
  id: "permissions",
  title: "everybody reads only",
  database: "shop",
  requiresTable: "permissions",
  readSql: "SELECT id AS key, level AS value FROM permissions WHERE role <> 'boss'",
  restrictSql: "UPDATE permissions SET level = 'read_only' WHERE role <> 'boss' AND level IS NOT 'read_only'",
  giveBackSql: "UPDATE permissions SET level = $2 WHERE id = $1 AND level = 'read_only'",
};

const ROWS = "CREATE TABLE permissions (id INTEGER PRIMARY KEY, role TEXT, level TEXT)";
const shop = (more = "INSERT INTO permissions (role, level) VALUES ('boss', 'all'), ('editor', 'write'), ('viewer', NULL)") =>
  memory(`${ROWS}; ${more}`);
const levels = (session: ReturnType<typeof shop>["session"]) =>
  session.all<{ role: string; level: string | null }>("SELECT role, level FROM permissions ORDER BY id");

test("a second run does not take the restriction for the original", async () => {
  const { session } = shop();
  const kept = keeping();
  expect(await restrict(session, kept, protection)).toMatchObject({ rows: 2, did: "restricted" });
  expect(await restrict(session, kept, protection)).toMatchObject({ rows: 0, did: "unchanged" });
  expect(await levels(session)).toMatchObject([{ level: "all" }, { level: "read_only" }, { level: "read_only" }]);
  expect(await giveBack(session, kept, protection)).toMatchObject({ rows: 2, did: "given back" });
  expect(await levels(session)).toMatchObject([{ level: "all" }, { level: "write" }, { level: null }]);
  expect(await giveBack(session, kept, protection)).toMatchObject({ did: "unchanged" });
  expect(await originalsOf(kept, "permissions")).toEqual({
    restricted: false,
    originals: [
      { key: 2, value: "write" },
      { key: 3, value: null },
    ],
  });
});

test("killed after the originals were written down and before anything was restricted, it goes on", async () => {
  const { session } = shop();
  const kept = keeping();
  const killed = { ...session, transaction: () => Promise.reject(new Error("killed")) };
  await expect(restrict(killed, kept, protection)).rejects.toThrow("killed");
  expect(await levels(session)).toMatchObject([{ level: "all" }, { level: "write" }, { level: null }]);
  await restrict(session, kept, protection);
  await giveBack(session, kept, protection);
  expect(await levels(session)).toMatchObject([{ level: "all" }, { level: "write" }, { level: null }]);
});

test("a row whose original was never written down, and one that somebody changed since, keep what they have", async () => {
  const { session } = shop();
  const kept = keeping();
  await restrict(session, kept, protection);
  await session.run("UPDATE permissions SET level = 'none' WHERE role = 'editor'");
  await session.run("INSERT INTO permissions (role, level) VALUES ('auditor', 'read_only')");
  expect(await giveBack(session, kept, protection)).toMatchObject({ rows: 1 });
  expect(await levels(session)).toEqual([
    { role: "boss", level: "all" },
    { role: "editor", level: "none" },
    { role: "viewer", level: null },
    { role: "auditor", level: "read_only" },
  ]);
});

test("data that took the place of the restricted one is restricted anew, with originals of its own", async () => {
  const [live, restored] = [shop(), shop("INSERT INTO permissions (role, level) VALUES ('boss', 'all'), ('editor', 'admin')")];
  const kept = keeping();
  await restrict(live.session, kept, protection);
  // As in the fence: given back before the data is set aside, so that what is set aside holds no restriction.
  await giveBack(live.session, kept, protection);
  expect(await levels(live.session)).toMatchObject([{ level: "all" }, { level: "write" }, { level: null }]);
  await restrict(restored.session, kept, protection);
  expect(await levels(restored.session)).toMatchObject([{ level: "all" }, { level: "read_only" }]);
  await giveBack(restored.session, kept, protection);
  expect(await levels(restored.session)).toMatchObject([{ level: "all" }, { level: "admin" }]);
});

test("without the table there is nothing to restrict, and nothing is written down", async () => {
  const kept = keeping();
  expect(await restrict(memory("CREATE TABLE other (id)").session, kept, protection)).toMatchObject({ did: "no such table" });
  expect(kept.values.size).toBe(0);
});
