import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { SqlWriter } from "../../bench/writer.ts";
import { passwordOf } from "../../databases/postgres/connection.ts";
import { ownServer, type OwnServer } from "../databases/postgres/own-server.ts";

const CLOSED_MS = 300;
let server: OwnServer;
let connectionString: string;

beforeAll(async () => {
  server = await ownServer();
  await (await server.create("written")).query("CREATE TABLE writes (at timestamptz NOT NULL)");
  const { host, port, user } = server.endpoint;
  connectionString = `postgresql://${user}:${encodeURIComponent(passwordOf(server.endpoint) ?? "")}@${host}:${port}/written`;
});
afterAll(() => server.remove());

async function closeFor(ms: number): Promise<void> {
  const admin = await server.open("postgres");
  await admin.query("ALTER DATABASE written ALLOW_CONNECTIONS false");
  await admin.query("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = 'written'");
  await sleep(ms);
  await admin.query("ALTER DATABASE written ALLOW_CONNECTIONS true");
}

it("notices for how long nothing was acknowledged, and writes again by itself", async () => {
  const writer = new SqlWriter(connectionString, "writes");
  try {
    expect(await writer.pauseDuring(() => closeFor(CLOSED_MS))).toBeGreaterThanOrEqual(CLOSED_MS / 1000);
  } finally {
    await writer.stop();
  }
});

it("counts only what happened while the work ran", async () => {
  const writer = new SqlWriter(connectionString, "writes");
  try {
    const long = await writer.pauseDuring(() => closeFor(CLOSED_MS));
    const short = await writer.pauseDuring(async () => {});
    expect(short).toBeLessThan(long);
  } finally {
    await writer.stop();
  }
});

it("acknowledges what is in the table, and nothing once it has stopped", async () => {
  const table = await server.open("written").catch(() => undefined);
  expect(table).toBeDefined();
  const rows = async () => Number((await table!.query<{ rows: string }>("SELECT count(*) AS rows FROM writes")).rows[0]!.rows);
  const before = await rows();
  const writer = new SqlWriter(connectionString, "writes");
  await writer.pauseDuring(async () => {});
  await writer.stop();
  const after = await rows();
  expect(after).toBeGreaterThan(before);
  await sleep(50);
  expect(await rows()).toBe(after);
});

it("passes on what the work failed with", async () => {
  const writer = new SqlWriter(connectionString, "writes");
  await expect(writer.pauseDuring(() => Promise.reject(new Error("the update failed")))).rejects.toThrow("the update failed");
  await writer.stop();
});
