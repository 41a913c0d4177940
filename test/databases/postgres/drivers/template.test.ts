import { afterAll, beforeAll, expect, it } from "vitest";
import pg from "pg";
import { connect, passwordOf } from "../../../../databases/postgres/connection.ts";
import { NotASnapshotError, SnapshotExistsError, SourceBusyError } from "../../../../databases/postgres/drivers/driver.ts";
import { unfinishedDatabases } from "./unfinished.ts";
import { copyStatement, FILE_COPY_FROM_BYTES, templateDriver } from "../../../../databases/postgres/drivers/template.ts";
import { fenceDatabase, sessionInside } from "../../../../databases/postgres/fence.ts";
import { captureManifest, compareManifests } from "../../../../databases/postgres/manifest.ts";
import { readProperties } from "../../../../databases/postgres/properties.ts";
import { ensureServer } from "../../../../databases/postgres/server.ts";
import { startServer, type TestServer } from "../embedded.ts";

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
}, 60_000);
afterAll(() => server.remove());

async function filled(name: string, rows: number): Promise<string> {
  await server.database(name);
  const client = await connect(server.endpoint, name);
  await client.query(`CREATE TABLE note AS SELECT g AS id, repeat('x', 500) AS text FROM generate_series(1, ${rows}) g`);
  await client.end();
  return name;
}

it("takes a pristine copy and restores it equal, as often as wanted", async () => {
  const live = await filled("whole", 500);
  const driver = templateDriver(server);
  await driver.check();
  const open = await connect(server.endpoint, live);
  const expected = await captureManifest(open);
  await expect(driver.take(live, "whole_pristine")).rejects.toThrow(SourceBusyError);
  await open.end();
  await fenceDatabase(server.admin, live);
  const snapshot = await driver.take(live, "whole_pristine");
  expect(JSON.parse(JSON.stringify(snapshot))).toEqual({ driver: "template", location: "whole_pristine" });
  await expect(driver.take(live, "whole_pristine")).rejects.toThrow(SnapshotExistsError);
  expect(await driver.sizeBytes(snapshot)).toBeGreaterThan(250_000);
  expect(await driver.spaceNeededBytes({ database: live })).toBeGreaterThan(await driver.sizeBytes(snapshot));

  const pristine = await connect(server.endpoint, "whole_pristine", { readOnly: true });
  expect(compareManifests(expected, await captureManifest(pristine))).toEqual([]);
  await expect(pristine.query("DELETE FROM note")).rejects.toMatchObject({ code: "25006" });
  await pristine.end();
  const user = new pg.Client({
    host: "127.0.0.1",
    port: server.port,
    user: "backout",
    password: passwordOf(server.endpoint)!,
    database: "whole_pristine",
  });
  await user.connect();
  await expect(user.query("DELETE FROM note")).rejects.toMatchObject({ code: "25006" });
  await user.end();
  for (const name of ["whole_1", "whole_2"]) {
    expect(await driver.restoreTo(snapshot, name)).toEqual({ database: name, notes: [] });
    expect(await readProperties(server.admin, name)).toMatchObject({ allowConnections: false, connectionLimit: -1, settings: [] });
    const inside = await sessionInside(server.endpoint, server.admin, name);
    expect(compareManifests(expected, await captureManifest(inside))).toEqual([]);
    await inside.end();
  }
  await expect(driver.remove({ driver: "template", location: live })).rejects.toThrow(NotASnapshotError);
  await expect(driver.restoreTo({ driver: "template", location: live }, "x")).rejects.toThrow(NotASnapshotError);
  await expect(driver.restoreTo({ driver: "template", location: "absent" }, "x")).rejects.toThrow("does not exist");
  expect(await driver.remove(snapshot)).toBe("removed");
  expect(await driver.remove(snapshot)).toBe("already");
});

it("is complete or absent when the server is killed in the middle of a copy", { timeout: 120_000 }, async () => {
  const live = await filled("killed", 60_000);
  await fenceDatabase(server.admin, live);
  const admin = await connect(server.endpoint, "maintenance");
  const copying = templateDriver({ admin }).take(live, "killed_pristine");
  const failed = expect(copying).rejects.toThrow();
  // In the middle: the source is locked for the copy.
  for (;;) {
    const { rowCount } = await server.admin.query(
      "SELECT 1 FROM pg_stat_activity WHERE query LIKE 'CREATE DATABASE \"killed_pristine__making%' AND state = 'active' AND pid <> pg_backend_pid()",
    );
    if (rowCount === 1) break;
    await new Promise((resolve) => setImmediate(resolve));
  }
  process.kill((await ensureServer({ home: server.home, port: server.port, superuser: "backout" })).pid, "SIGKILL");
  await failed;
  await admin.end().catch(() => undefined);
  expect((await ensureServer({ home: server.home, port: server.port, superuser: "backout" })).state).toBe("started");

  const again = await connect(server.endpoint, "maintenance");
  const driver = templateDriver({ admin: again });
  await expect(driver.sizeBytes({ driver: "template", location: "killed_pristine" })).rejects.toThrow("no database");
  await driver.take(live, "killed_pristine");
  expect(await unfinishedDatabases(again, "killed")).toEqual([]);
  await driver.restoreTo({ driver: "template", location: "killed_pristine" }, "killed_1");
  const inside = await sessionInside(server.endpoint, again, "killed_1");
  expect((await inside.query("SELECT count(*)::int AS rows FROM note")).rows).toEqual([{ rows: 60_000 }]);
  await inside.end();
  await server.admin.end().catch(() => undefined);
  server.admin = again;
});

it("drops what an interrupted attempt left behind, and waits for one whose backend still copies", { timeout: 60_000 }, async () => {
  const client = await connect(server.endpoint, "maintenance");
  const driver = templateDriver({ admin: client });
  await client.query("CREATE DATABASE left_over");
  await client.query("CREATE DATABASE left_pristine__making");
  expect(await unfinishedDatabases(client, "left")).toEqual(["left_pristine__making"]);
  // One that nobody finishes any more goes with what it was to become.
  await driver.remove({ driver: "template", location: "left_pristine" });
  expect(await unfinishedDatabases(client, "left")).toEqual([]);
  await client.query("CREATE DATABASE left_pristine__making");
  await fenceDatabase(client, "left_over");
  await driver.take("left_over", "left_pristine");
  expect(await unfinishedDatabases(client, "left")).toEqual([]);

  const other = await connect(server.endpoint, "maintenance");
  const both = await Promise.allSettled([
    driver.take("left_over", "left_twice"),
    templateDriver({ admin: other }).take("left_over", "left_twice"),
  ]);
  expect(both.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
  expect(both.find(({ status }) => status === "rejected")).toMatchObject({ reason: expect.any(SnapshotExistsError) as unknown });
  expect(await unfinishedDatabases(client, "left")).toEqual([]);
  await Promise.all([client.end(), other.end()]);
});

it("copies files from a size on, and knows servers without strategies", () => {
  expect(copyStatement("a", 'b"', 1, 180_004)).toBe('CREATE DATABASE "b""" TEMPLATE "a" STRATEGY = WAL_LOG ALLOW_CONNECTIONS = false');
  expect(copyStatement("a", "b", FILE_COPY_FROM_BYTES, 180_004)).toContain("STRATEGY = FILE_COPY");
  expect(copyStatement("a", "b", 1, 140_000)).not.toContain("STRATEGY");
});
