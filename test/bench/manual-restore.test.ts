import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { admitStatement, manualWay, replaceStatements, stopStatement } from "../../bench/manual-restore.ts";
import { installedServer, startServer } from "../../bench/server.ts";
import { withSession } from "../../databases/postgres/connection.ts";

describe("statements of the manual's way", () => {
  it("quote the name", () => {
    for (const statement of [...replaceStatements('a"b'), stopStatement('a"b'), admitStatement('a"b')])
      expect(statement).toContain('"a""b"');
  });
});

const installed = await installedServer();

it("finds no server in a folder without one", async () => {
  expect(await installedServer(join(tmpdir(), "no-such-folder"))).toBeNull();
});

it("brings the content of the dump back, and lets everybody in again", async ({ skip }) => {
  if (installed === null) return skip("no PostgreSQL server with its client tools is installed");
  const server = await startServer(installed);
  const folder = await mkdtemp(join(tmpdir(), "backout-bench-test-"));
  try {
    await withSession(server.endpoint, "postgres", (client) => client.query("CREATE DATABASE shop"));
    await withSession(server.endpoint, "shop", (client) => client.query("CREATE TABLE goods AS SELECT generate_series(1, 1000) AS id"));
    const manual = await manualWay(server, "shop", folder);
    await withSession(server.endpoint, manual.database, (client) => client.query("DELETE FROM goods WHERE id > 10"));
    await manual.restore();
    const count = await withSession(server.endpoint, manual.database, (client) => client.query("SELECT count(*)::int AS rows FROM goods"));
    expect(count.rows).toEqual([{ rows: 1000 }]);
    const limit = await withSession(server.endpoint, "postgres", (client) =>
      client.query("SELECT datconnlimit FROM pg_database WHERE datname = $1", [manual.database]),
    );
    expect(limit.rows).toEqual([{ datconnlimit: -1 }]);
  } finally {
    await server.remove();
    await rm(folder, { recursive: true, force: true });
  }
});
