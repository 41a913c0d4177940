import fc from "fast-check";
import pg from "pg";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { connect, passwordOf } from "../../../databases/postgres/connection.ts";
import { derivedName, QuarantineTakenError, swapDatabases } from "../../../databases/postgres/cut-over.ts";
import { templateDriver } from "../../../databases/postgres/drivers/template.ts";
import { admit, fenceDatabase, NotFencedError } from "../../../databases/postgres/fence.ts";
import { NAME_BYTES } from "../../../config/names.ts";
import { applyProperties, readProperties, type DatabaseProperties } from "../../../databases/postgres/properties.ts";
import { startServer, type TestServer } from "./embedded.ts";

let server: TestServer;
let round = 0;
let live: string;
let standby: string;
let quarantine: string;
let saved: DatabaseProperties;

beforeAll(async () => {
  server = await startServer();
  await server.admin.query("CREATE ROLE services LOGIN PASSWORD 's'; CREATE TABLE catalogue (note text)");
}, 60_000);
afterAll(() => server.remove());

beforeEach(async () => {
  live = await server.database(`live${++round}`);
  [standby, quarantine] = [`${live}_standby`, `${live}_quarantine`];
  await server.admin.query(`COMMENT ON DATABASE ${live} IS 'live'; GRANT CONNECT ON DATABASE ${live} TO services`);
  const client = await connect(server.endpoint, live);
  await client.query("CREATE TABLE note (id int PRIMARY KEY); INSERT INTO note VALUES (1); GRANT ALL ON note TO services");
  await client.end();
  saved = await readProperties(server.admin, live);
  await fenceDatabase(server.admin, live);
  const driver = templateDriver(server);
  await driver.restoreTo(await driver.take(live, `${live}_pristine`), standby);
});

it("swaps, once, under a pool that reconnects all the time, and loses no acknowledged row", { timeout: 30_000 }, async () => {
  await admit(server.admin, live, "everybody", { servicesRole: "services", saved });
  const pool = new pg.Pool({ host: "127.0.0.1", port: server.port, user: "services", password: "s", database: live, max: 4 });
  pool.on("error", () => undefined);
  pool.on("connect", (client) => client.on("error", () => undefined));
  let running = true;
  let next = 2;
  const acknowledged: number[] = [];
  const loops = Array.from({ length: 4 }, async () => {
    while (running) {
      const id = next++;
      await pool.query("INSERT INTO note VALUES ($1)", [id]).then(
        () => acknowledged.push(id),
        () => new Promise((resolve) => setTimeout(resolve, 1)),
      );
    }
  });
  while (acknowledged.length < 20) await new Promise((resolve) => setTimeout(resolve, 5));
  await fenceDatabase(server.admin, live);
  const atFence = acknowledged.length;
  await swapDatabases(server.admin, { live, replacement: standby, quarantine });
  await applyProperties(server.admin, live, { ...saved, allowConnections: false });
  await admit(server.admin, live, "everybody", { servicesRole: "services", saved });
  while (acknowledged.length < atFence + 20) await new Promise((resolve) => setTimeout(resolve, 5));
  running = false;
  await Promise.all(loops);
  await pool.end();

  expect(await readProperties(server.admin, live)).toEqual(saved);
  await server.admin.query(`ALTER DATABASE ${quarantine} ALLOW_CONNECTIONS true`);
  const ids = async (database: string): Promise<number[]> => {
    const client = await connect(server.endpoint, database);
    const { rows } = await client.query<{ id: number }>("SELECT id FROM note");
    await client.end();
    return rows.map(({ id }) => id);
  };
  const [old, now] = [await ids(quarantine), await ids(live)];
  expect(acknowledged.filter((id) => !old.includes(id) && !now.includes(id))).toEqual([]);
  expect(old.filter((id) => id !== 1 && now.includes(id))).toEqual([]);
});

it("writes the caller's rows with the swap or neither", async () => {
  const failing = swapDatabases(server.admin, {
    live,
    replacement: standby,
    quarantine,
    inTransaction: async (client) => {
      await client.query("INSERT INTO catalogue VALUES ('never')");
      throw new Error("the caller's row was refused");
    },
  });
  await expect(failing).rejects.toThrow("the caller's row was refused");
  const names = async (): Promise<string[]> =>
    (
      await server.admin.query<{ datname: string }>("SELECT datname FROM pg_database WHERE starts_with(datname, $1) ORDER BY 1", [live])
    ).rows.map(({ datname }) => datname);
  expect(await names()).toEqual([live, `${live}_pristine`, standby]);
  await swapDatabases(server.admin, {
    live,
    replacement: standby,
    quarantine,
    inTransaction: async (client) => void (await client.query("INSERT INTO catalogue VALUES ('once')")),
  });
  expect((await server.admin.query("SELECT note FROM catalogue")).rows).toEqual([{ note: "once" }]);
  expect(await names()).toEqual([live, `${live}_pristine`, quarantine]);
});

it("ends a session that sneaked in between", async () => {
  const sneaking = new pg.Client({
    host: "127.0.0.1",
    port: server.port,
    user: "backout",
    database: live,
    password: passwordOf(server.endpoint),
  });
  sneaking.on("error", () => undefined);
  const swap = { live, replacement: standby, quarantine };
  // The look of assertFenced is over when the transaction begins: get in right then.
  const admin = new Proxy(server.admin, {
    get: (target, key) =>
      key !== "query"
        ? (Reflect.get(target, key) as unknown)
        : async (text: string, values?: unknown[]) => {
            if (text === "BEGIN" && !sneaked) {
              sneaked = true;
              await target.query(`ALTER DATABASE ${live} ALLOW_CONNECTIONS true`);
              await sneaking.connect();
              await target.query(`ALTER DATABASE ${live} ALLOW_CONNECTIONS false`);
            }
            return target.query(text, values);
          },
  });
  let sneaked = false;
  expect(await swapDatabases(admin, swap)).toMatchObject({ attempts: 2 });
  await sneaking.end().catch(() => undefined);
}, 30_000);

it("refuses what is not fenced, not there, or taken", async () => {
  await expect(swapDatabases(server.admin, { live, replacement: standby, quarantine: "maintenance" })).rejects.toThrow(
    QuarantineTakenError,
  );
  await expect(swapDatabases(server.admin, { live, replacement: "absent", quarantine })).rejects.toThrow('no database "absent"');
  await server.admin.query(`ALTER DATABASE ${live} ALLOW_CONNECTIONS true`);
  await expect(swapDatabases(server.admin, { live, replacement: standby, quarantine })).rejects.toThrow(NotFencedError);
});

it("derives names that fit, and differ where the long ones do", () => {
  expect(derivedName("live", "__making")).toBe("live__making");
  fc.assert(
    fc.property(
      fc.string({ unit: "grapheme", minLength: 1, maxLength: 120 }),
      fc.string({ unit: "grapheme", minLength: 1, maxLength: 120 }),
      (one, two) => {
        const names = [one, two].map((base) => derivedName(base, "__making"));
        for (const name of names) expect(Buffer.byteLength(name)).toBeLessThanOrEqual(NAME_BYTES);
        expect(names[0]?.endsWith("__making")).toBe(true);
        expect(names[0] === names[1]).toBe(one === two);
      },
    ),
  );
});
