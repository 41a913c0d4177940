import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CommitUnknownError, openDatabase } from "../../systems/kit/database.ts";
import { createHttpServer, listen, type HttpOptions } from "../../systems/kit/http.ts";
import { signToken, verifyToken } from "../../systems/kit/jwt.ts";
import type { Log } from "../../systems/kit/log.ts";
import { startLoop } from "../../systems/kit/loop.ts";
import { startServer, type TestServer } from "../databases/postgres/embedded.ts";
import { connect } from "../../databases/postgres/connection.ts";
import { fenceDatabase } from "../../databases/postgres/fence.ts";

const quiet: Log = { info: () => undefined, warn: () => undefined, error: () => undefined };

describe("tokens", () => {
  test("of another secret, changed or expired ones are worth nothing", () => {
    const token = signToken("somebody", "secret");
    expect(verifyToken(token, "other")).toBeNull();
    expect(
      verifyToken(
        token.replace(/.$/, (last) => (last === "A" ? "B" : "A")),
        "secret",
      ),
    ).toBeNull();
    expect(verifyToken(signToken("somebody", "secret", -1), "secret")).toBeNull();
    expect(verifyToken("", "secret")).toBeNull();
    const unsigned = `${Buffer.from('{"alg":"none"}').toString("base64url")}.${token.split(".")[1]!}.`;
    expect(verifyToken(unsigned, "secret")).toBeNull();
    expect(verifyToken(token, "secret")).toMatchObject({ sub: "somebody" });
  });
});

describe("server", () => {
  const serve = async (options: Partial<HttpOptions>) => {
    const http = createHttpServer({ log: quiet, routes: [], ...options });
    return { http, url: `http://127.0.0.1:${await listen(http.server, 0)}` };
  };

  test("tells no internals, and refuses bodies that are no objects", async () => {
    const lines: string[] = [];
    const log: Log = { ...quiet, error: (message, data) => void lines.push(`${message} ${JSON.stringify(data)}`) };
    const fail = (): never => {
      throw new Error("password=hunter2");
    };
    const { http, url } = await serve({ log, routes: [{ method: "POST", path: "/fail/:id", handle: fail }] });
    const answer = await fetch(`${url}/fail/7`, { method: "POST", body: "{}" });
    expect([answer.status, await answer.text()]).toEqual([500, '{"error":"internal error"}\n']);
    expect(lines.join()).toContain("hunter2");
    expect((await fetch(`${url}/fail/7`, { method: "POST", body: "[1]" })).status).toBe(400);
    expect((await fetch(`${url}/fail/7`, { method: "POST", body: "{" })).status).toBe(400);
    expect((await fetch(`${url}/fail/`, { method: "POST" })).status).toBe(404);
    expect(http.traffic).toEqual({ requests: 4, errors: 1 });
    await http.drain();
  });

  test("when it ends, what is in flight is answered and nothing new taken", async () => {
    let release = (): void => undefined;
    let entered = (): void => undefined;
    const inside = new Promise<void>((resolve) => (entered = resolve));
    const held = new Promise<void>((resolve) => (release = resolve));
    const { http, url } = await serve({
      routes: [{ method: "GET", path: "/slow", handle: async () => (entered(), await held, { json: { done: true } }) }],
    });
    const slow = fetch(`${url}/slow`);
    await inside;
    const drained = http.drain();
    await expect(fetch(`${url}/slow`)).rejects.toThrow();
    release();
    expect(await (await slow).json()).toEqual({ done: true });
    await drained;
  });
});

test("a loop finishes its piece of work, goes on after a failure, and stops while it waits", async () => {
  const done: number[] = [];
  const loop = startLoop(
    quiet,
    async () => {
      done.push(done.length);
      if (done.length === 1) throw new Error("once");
      await sleep(20);
      return done.length < 3 ? 0 : 3_600_000;
    },
    1,
  );
  while (done.length < 3) await sleep(5);
  await loop.stop();
  expect(done).toEqual([0, 1, 2]);
});

describe("database", () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startServer();
    await server.admin.query("CREATE ROLE services LOGIN PASSWORD 'services'");
  });
  afterAll(() => server.remove());

  async function make(name: string) {
    await server.database(name);
    const admin = await connect(server.endpoint, name);
    await admin.query("CREATE TABLE notes (id int); GRANT ALL ON notes TO services");
    await admin.end();
    return openDatabase(`postgresql://services:services@127.0.0.1:${server.port}/${name}`, "test", quiet);
  }

  test("survives the database being swapped under it: what is acknowledged is there, and nothing is there twice", async () => {
    const database = await make("live");
    await make("copy").then((copy) => copy.end());
    let id = 0;
    let stopped = false;
    const acknowledged: number[] = [];
    const writer = async (): Promise<void> => {
      while (!stopped) {
        const mine = ++id;
        const done = await database
          .transaction((session) => session.query("INSERT INTO notes VALUES ($1)", [mine]))
          .catch((error: unknown) => error);
        if (!(done instanceof Error)) acknowledged.push(mine);
        // Every other failure is one that the program should have lived through.
        else if (!(done instanceof CommitUnknownError)) throw done;
      }
    };
    const writing = Promise.allSettled([writer(), writer(), writer()]);
    for (let swap = 0; swap < 8; swap++) {
      await sleep(60);
      // Also ends who was let in a moment ago and is not to be seen yet: in its way, a rename would fail.
      await fenceDatabase(server.admin, "live");
      await server.admin.query(
        "BEGIN; ALTER DATABASE live RENAME TO aside; ALTER DATABASE copy RENAME TO live; ALTER DATABASE aside RENAME TO copy; COMMIT",
      );
      await server.admin.query("ALTER DATABASE live ALLOW_CONNECTIONS true");
    }
    stopped = true;
    expect((await writing).filter((each) => each.status === "rejected")).toEqual([]);
    await database.end();
    await server.admin.query("ALTER DATABASE copy ALLOW_CONNECTIONS true");
    const found: number[] = [];
    for (const name of ["live", "copy"]) {
      const admin = await connect(server.endpoint, name);
      found.push(...(await admin.query<{ id: number }>("SELECT id FROM notes")).rows.map((row) => row.id));
      await admin.end();
    }
    expect(acknowledged.length).toBeGreaterThan(20);
    expect(acknowledged.filter((each) => !found.includes(each))).toEqual([]);
    expect(found.length).toBe(new Set(found).size);
  });

  test("a mistake is told at once, and its transaction leaves nothing", async () => {
    const database = await make("mistakes");
    await expect(database.read("SELECT nonsense")).rejects.toMatchObject({ code: "42703" });
    const failing = database.transaction(async (session) => {
      await session.query("INSERT INTO notes VALUES (1)");
      throw new Error("changed my mind");
    });
    await expect(failing).rejects.toThrow("changed my mind");
    expect(await database.read("SELECT * FROM notes")).toEqual([]);
    await database.end();
  });

  test("a session that is ended while idle ends nothing else", async () => {
    const database = await make("idle");
    await database.read("SELECT 1");
    await server.admin.query("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = 'idle'");
    await sleep(20);
    expect(await database.read("SELECT 2 AS two")).toEqual([{ two: 2 }]);
    await database.end();
  });
});
