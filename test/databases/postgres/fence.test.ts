import fc from "fast-check";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { connect, passwordOf } from "../../../databases/postgres/connection.ts";
import {
  admit,
  assertFenced,
  fenceDatabase,
  FenceTimeoutError,
  NotFencedError,
  PreparedTransactionError,
  ReplicationInUseError,
  servicesOnly,
  sessionInside,
} from "../../../databases/postgres/fence.ts";
import { readProperties, type DatabaseGrant } from "../../../databases/postgres/properties.ts";
import { startServer, type TestServer } from "./embedded.ts";

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
  await server.admin.query(
    `CREATE ROLE services LOGIN PASSWORD 's'; CREATE ROLE analyst LOGIN PASSWORD 'a'; CREATE ROLE lead LOGIN PASSWORD 'l'`,
  );
}, 60_000);
afterAll(() => server.remove());

function as(user: string): { host: string; port: number; user: string; password: string } {
  return {
    host: "127.0.0.1",
    port: server.port,
    user,
    password: user === "backout" ? (passwordOf(server.endpoint) as string) : (user[0] as string),
  };
}

describe("fencing", () => {
  it("ends everybody, superusers and reconnecting pools included, and keeps them out", async () => {
    const live = await server.database("fenced");
    const pool = new pg.Pool({ ...as("services"), database: live, max: 4 });
    pool.on("error", () => undefined);
    pool.on("connect", (client) => client.on("error", () => undefined));
    let running = true;
    const codes = new Set<string>();
    const loops = Array.from({ length: 4 }, async () => {
      while (running) await pool.query("SELECT pg_sleep(0.001)").catch((error: { code?: string }) => codes.add(error.code ?? "closed"));
    });
    const superuser = await connect(server.endpoint, live);
    await superuser.query("BEGIN");
    const outcome = await fenceDatabase(server.admin, live);
    expect(outcome.endedSessions).toBeGreaterThanOrEqual(2);
    await new Promise((resolve) => setTimeout(resolve, 150));
    await assertFenced(server.admin, live);
    expect(codes).toContain("55000");
    await expect(connect(server.endpoint, live)).rejects.toMatchObject({ code: "55000" });
    await expect(superuser.query("SELECT 1")).rejects.toThrow();
    expect((await fenceDatabase(server.admin, live)).endedSessions).toBe(0);
    running = false;
    await Promise.all(loops);
    await pool.end();
  });

  it("names whose transaction was rolled back, since when, and slots nobody reads from", async () => {
    const live = await server.database("interrupted");
    const program = await connect(as("services"), live);
    await program.query("SET application_name TO 'nightly import'");
    await program.query("BEGIN");
    await program.query("SELECT 1");
    const idle = await connect(as("analyst"), live);
    await idle.query("SELECT 1");
    const { rolledBack, endedSessions } = await fenceDatabase(server.admin, live);
    expect(endedSessions).toBe(2);
    expect(rolledBack).toEqual([expect.stringMatching(/^services \(nightly import\), pid \d+, idle in transaction since \d{4}-.*Z$/)]);
  });

  it("refuses prepared transactions before anybody is kept out", async () => {
    const live = await server.database("prepared");
    const client = await connect(server.endpoint, live);
    await client.query("CREATE TABLE t (id int)");
    await client.query("BEGIN");
    await client.query("INSERT INTO t VALUES (1)");
    await client.query("PREPARE TRANSACTION 'it''s one'");
    const refused = fenceDatabase(server.admin, live);
    await expect(refused).rejects.toThrow(PreparedTransactionError);
    await expect(refused).rejects.toThrow("ROLLBACK PREPARED 'it''s one'");
    await expect(refused).rejects.toMatchObject({ transactions: [{ gid: "it's one", owner: "backout" }] });
    expect((await client.query("SELECT 1 AS still")).rows).toEqual([{ still: 1 }]);
    await client.query("ROLLBACK PREPARED 'it''s one'");
    await client.end();
    await fenceDatabase(server.admin, live);
  });

  it("refuses enabled subscriptions, and ignores slots nobody uses", async () => {
    const live = await server.database("subscribed");
    const client = await connect(server.endpoint, live);
    await client.query("CREATE SUBSCRIPTION news CONNECTION 'host=127.0.0.1 port=1 dbname=x' PUBLICATION p WITH (connect = false)");
    await client.query("ALTER SUBSCRIPTION news SET (slot_name = 'news')");
    await client.query("ALTER SUBSCRIPTION news ENABLE");
    await expect(fenceDatabase(server.admin, live)).rejects.toThrow(ReplicationInUseError);
    await client.query("ALTER SUBSCRIPTION news DISABLE");
    await client.query("ALTER SUBSCRIPTION news SET (slot_name = NONE)");
    await client.end();
    await fenceDatabase(server.admin, live);
  });

  it("says who is left when time is up, and keeps the others out", async () => {
    const live = await server.database("stubborn");
    const superuser = await connect(server.endpoint, live);
    await server.admin.query(
      `CREATE ROLE weak LOGIN CREATEDB PASSWORD 'w'; GRANT pg_signal_backend, pg_read_all_stats TO weak; GRANT CONNECT ON DATABASE maintenance TO weak; ALTER DATABASE stubborn OWNER TO weak`,
    );
    const weak = await connect({ ...server.endpoint, ...as("weak"), passwordFile: undefined }, "maintenance");
    const failed = fenceDatabase(weak, live, { timeoutMs: 200 });
    await expect(failed).rejects.toThrow(FenceTimeoutError);
    await expect(failed).rejects.toThrow("user backout");
    await expect(assertFenced(weak, live)).rejects.toThrow("there are sessions in it");
    await fenceDatabase(server.admin, live);
    await Promise.all([weak.end(), superuser.end().catch(() => undefined)]);
  });

  it("knows what is not fenced", async () => {
    const live = await server.database("open");
    await expect(assertFenced(server.admin, live)).rejects.toThrow(NotFencedError);
    await expect(fenceDatabase(server.admin, "absent")).rejects.toThrow('no database "absent"');
  });
});

describe("opening", () => {
  it("lets in nobody, then the services, then everybody, exactly as before", async () => {
    const live = await server.database("staged");
    await server.admin.query(
      `ALTER DATABASE staged OWNER TO lead; GRANT CONNECT, TEMP ON DATABASE staged TO analyst WITH GRANT OPTION; ALTER DATABASE staged CONNECTION LIMIT 9`,
    );
    const saved = await readProperties(server.admin, live);
    const may = async (user: string): Promise<boolean> =>
      connect({ ...as(user) }, live).then(
        (client) => client.end().then(() => true),
        () => false,
      );
    await fenceDatabase(server.admin, live);
    const admission = { servicesRole: "services", saved };
    const seen: Record<string, boolean[]> = {};
    for (const stage of ["nobody", "services", "everybody"] as const) {
      await admit(server.admin, live, stage, admission);
      await admit(server.admin, live, stage, admission);
      seen[stage] = [await may("services"), await may("analyst"), await may("lead"), await may("backout")];
    }
    expect(seen).toEqual({
      nobody: [false, false, false, false],
      services: [true, false, false, true],
      everybody: [true, true, true, true],
    });
    expect(await readProperties(server.admin, live)).toEqual(saved);
  });

  it("leaves CONNECT to the services alone, whatever was granted", () => {
    const grant: fc.Arbitrary<DatabaseGrant> = fc.record({
      grantee: fc.constantFrom(null, "services", "a", "b"),
      privileges: fc.uniqueArray(fc.constantFrom("CONNECT", "CREATE", "TEMPORARY"), { minLength: 1 }),
      grantable: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.uniqueArray(grant, { selector: ({ grantee, grantable }) => `${grantee} ${grantable}` }), (grants) => {
        const result = servicesOnly(grants, "services");
        expect(result.filter(({ privileges }) => privileges.includes("CONNECT")).map(({ grantee }) => grantee)).toEqual(["services"]);
        const others = (list: DatabaseGrant[]): number =>
          list.flatMap(({ privileges }) => privileges).filter((privilege) => privilege !== "CONNECT").length;
        expect(others(result)).toBe(others(grants));
      }),
    );
  });

  it("lets the roles in that services have of their own: the owner too, and nobody else", async () => {
    const live = await server.database("owned");
    await server.admin.query("ALTER DATABASE owned OWNER TO lead");
    const saved = await readProperties(server.admin, live);
    await fenceDatabase(server.admin, live);
    const may = (user: string): Promise<boolean> =>
      connect(as(user), live).then(
        (client) => client.end().then(() => true),
        () => false,
      );
    for (const admits of [[], ["lead"]]) {
      await admit(server.admin, live, "services", { servicesRole: "services", admits, saved });
      expect([await may("services"), await may("lead"), await may("analyst")]).toEqual([true, admits.length > 0, false]);
    }
    await admit(server.admin, live, "everybody", { servicesRole: "services", admits: ["lead"], saved });
    expect(await readProperties(server.admin, live)).toEqual(saved);
  });

  it("gives backout a session of its own in a fenced database, while others try to get in", async () => {
    const live = await server.database("inside");
    await fenceDatabase(server.admin, live);
    let running = true;
    const intruders = ["services", "backout"].map(async (user) => {
      while (running) {
        const client = new pg.Client({ ...as(user), database: live });
        client.on("error", () => undefined);
        await client.connect().then(
          () => client.query("SELECT pg_sleep(5)").catch(() => undefined),
          () => undefined,
        );
        await client.end().catch(() => undefined);
      }
    });
    try {
      for (let round = 0; round < 10; round++) {
        const client = await sessionInside(server.endpoint, server.admin, live);
        const { rows } = await client.query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
        await assertFenced(
          server.admin,
          live,
          rows.map(({ pid }) => pid),
        );
        await expect(assertFenced(server.admin, live)).rejects.toThrow(NotFencedError);
        await client.end();
      }
    } finally {
      running = false;
      await Promise.all(intruders);
    }
    expect(await readProperties(server.admin, live)).toMatchObject({ allowConnections: false, connectionLimit: -1 });
  });
});
