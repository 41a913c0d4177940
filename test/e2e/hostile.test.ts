/** Writers that do not want to stop, at the fence of a restore: every acknowledged write is in live, quarantine or export. */
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { endpointOf, serverHome, servicesUrl } from "../../config/site.ts";
import { connect } from "../../databases/postgres/connection.ts";
import { stopServer } from "../../databases/postgres/server.ts";
import { isAlive, lookUp } from "../../processes/identity.ts";
import { SYNC_MIGRATION } from "../../systems/pfa-vanguard/api.ts";
import { ledgerEntry, makeRelease } from "./releases.ts";
import { expectNothingLost, makeStand, pause, PINS, until, type Stand } from "./stand.ts";

const COLUMNS = "pfa_records (pfa_id, organization_id, category, description)";
const INSERT = `INSERT INTO ${COLUMNS} VALUES ($1, 'org-rio', 'Equipment', 'hostile')`;
/** Written after the snapshot: whoever does not find it any more writes into the data of before. */
const MARK = "H-MARK";
const INSERT_UNTIL_BACK = `INSERT INTO ${COLUMNS} SELECT $1, 'org-rio', 'Equipment', 'hostile' WHERE EXISTS (SELECT FROM pfa_records WHERE pfa_id = '${MARK}')`;

let stand: Stand;
beforeAll(async () => {
  stand = await makeStand();
  await stand.upWell();
  await stand.insertWell("H-BASE");
});
afterAll(() => stand?.destroy());

async function forward(): Promise<string> {
  await stand.upWell(PINS.forward);
  await stand.untilStandby();
  const last = (await stand.snapshots()).at(-1)!;
  return `${last.name}@${last.generation}`;
}

interface Hostile {
  acknowledged: string[];
  /** Writes that failed: refused connections, ended sessions. */
  refused: number;
  stop(): Promise<void>;
}

type Write = (sql: string, id: string) => Promise<pg.QueryResult>;

/** Writes as fast as it can; whatever ends it, it comes back, until the data it wrote to has gone, or (`forever`) until it is stopped. */
function hostile(prefix: string, forever: boolean, write: Write, close: () => Promise<void>): Hostile {
  let going = true;
  const state: Hostile = { acknowledged: [], refused: 0, stop: async () => undefined };
  const work = (async () => {
    for (let serial = 1; going; serial++) {
      const id = `${prefix}-${String(serial).padStart(6, "0")}`;
      try {
        const { rowCount } = await write(forever ? INSERT : INSERT_UNTIL_BACK, id);
        if (rowCount === 0) return;
        state.acknowledged.push(id);
      } catch {
        state.refused += 1;
      }
      await pause(1);
    }
  })();
  state.stop = async () => {
    going = false;
    await work;
    await close();
  };
  return state;
}

/** A pool of the services' own role, which reconnects at once. */
function pool(prefix: string): Hostile {
  const sessions = new pg.Pool({ connectionString: servicesUrl(stand.site, "pfa"), max: 4, connectionTimeoutMillis: 2_000 });
  sessions.on("error", () => undefined);
  return hostile(
    prefix,
    false,
    (sql, id) => sessions.query(sql, [id]),
    () => sessions.end(),
  );
}

/** A superuser in a loop: neither a connection limit nor a revoked grant keeps it out. */
function superuser(prefix: string, forever = false): Hostile {
  let client: pg.Client | null = null;
  const leave = async (): Promise<void> => {
    await client?.end().catch(() => undefined);
    client = null;
  };
  return hostile(
    prefix,
    forever,
    async (sql, id) => {
      try {
        client ??= await connect(endpointOf(stand.site), stand.live);
        return await client.query(sql, [id]);
      } catch (error) {
        await leave();
        throw error;
      }
    },
    leave,
  );
}

test("a reconnecting pool and a superuser in a loop: the restore goes through, nothing they were promised is lost", async () => {
  const snapshot = await forward();
  await stand.insertWell(MARK);
  const writers = [pool("POOL"), superuser("ROOT")];
  const user = await stand.witness();
  await user.acknowledged(20);
  await until("everybody writes", () => writers.every(({ acknowledged }) => acknowledged.length > 10));
  try {
    await stand.upWell(PINS.restore(snapshot));
    await user.acknowledged(5);
    expectNothingLost(await user.judgement((await stand.last())!.epoch));
  } finally {
    await user.stop();
    for (const writer of writers) await writer.stop();
  }
  for (const { refused } of writers) expect(refused, "it was there when the fence closed").toBeGreaterThan(0);
  expect(await stand.version()).toBe("v3.0.0");
  expect(stand.gate()?.mode).toBe("open");
  expect(await stand.lost([...writers.flatMap(({ acknowledged }) => acknowledged)])).toEqual([]);
  expect(await stand.sql("SELECT FROM pfa_records WHERE pfa_id LIKE 'POOL-%' OR pfa_id LIKE 'ROOT-%'")).toEqual([]);
});

test("a superuser who goes on writing into the restored data: not verified, not opened; once it is gone the snapshot is brought back again", async () => {
  const snapshot = await forward();
  const writer = superuser("LAST", true);
  await until("it writes", () => writer.acknowledged.length > 10);
  try {
    const failed = await stand.up(PINS.restore(snapshot));
    expect(failed.code, failed.output).not.toBe(0);
    expect(failed.output).toMatch(/count \(pfa_records has \d+ rows/);
    expect(stand.gate()?.mode).toBe("closed");
  } finally {
    await writer.stop();
  }
  await stand.upWell([{ path: ["data"], value: { snapshot, again: 1 } }]);
  expect(stand.gate()?.mode).toBe("open");
  expect(await stand.sql("SELECT FROM pfa_records WHERE pfa_id LIKE 'LAST-%'")).toEqual([]);
  expect(await stand.lost(writer.acknowledged)).toEqual([]);
});

test("a prepared transaction: refused before anything stops, naming it and the command that ends it", async () => {
  await forward();
  await stand.sql("ALTER SYSTEM SET max_prepared_transactions = 5", [], "postgres");
  await stopServer(serverHome(stand.site), { mode: "fast" });
  await stand.upWell();
  const row = "H-PREPARED";
  await stand.session(stand.live, async (client) => {
    await client.query("BEGIN");
    await client.query(INSERT, [row]);
    await client.query("PREPARE TRANSACTION 'of somebody else'");
  });
  const before = stand.pids();
  const last = (await stand.snapshots()).at(-1)!;
  const text = stand.text();
  const refused = await stand.up(PINS.restore(`${last.name}@${last.generation}`));
  expect(refused.code, refused.output).not.toBe(0);
  expect(refused.output).toMatch(/of somebody else/);
  expect(refused.output).toMatch(/(COMMIT|ROLLBACK) PREPARED/);
  expect(stand.pids()).toEqual(before);
  expect(stand.gate()?.mode).toBe("open");
  expect(await stand.version()).toBe("v4.0.0");
  stand.write(text);
  const verb = await stand.verb<{ error: { message: string } }>("rollback", "--to", "v3.0.0", "--scope", "restore", "--yes");
  expect(verb.code, verb.stderr).toBe(3);
  expect(verb.json.error.message).toMatch(/of somebody else/);
  expect(stand.pids()).toEqual(before);

  await stand.session(stand.live, async (client) => void (await client.query("COMMIT PREPARED 'of somebody else'")));
  await stand.upWell(PINS.restore(`${last.name}@${last.generation}`));
  expect(await stand.version()).toBe("v3.0.0");
  expect(await stand.lost([row])).toEqual([]);
});

test("a worker that ignores SIGTERM and writes on: it is killed, and the restore goes through", async () => {
  const release = makeRelease(stand.folder, {
    from: "v4.0.0",
    version: "v4.0.1",
    alter: (service, text) =>
      service !== "worker"
        ? text
        : `${text}
for (const signal of ["SIGTERM", "SIGINT"]) process.removeAllListeners(signal).on(signal, () => log.info("no"));
let serial = 0;
setInterval(() => void database.transaction(async (session) => {
  await session.query(${JSON.stringify(INSERT_UNTIL_BACK)}, [\`STUBBORN-\${process.pid}-\${++serial}\`]);
}).catch(() => undefined), 20);
`,
  });
  await stand.upWell([await ledgerEntry(release, "v4.0.1", SYNC_MIGRATION), ...PINS.forward, { path: ["release"], value: "v4.0.1" }]);
  const { worker } = stand.pids();
  const stubborn = lookUp(worker!)!;
  await stand.insertWell(MARK);
  const user = await stand.witness();
  await user.acknowledged(20);
  const written = async () =>
    (await stand.sql<{ id: string }>("SELECT pfa_id AS id FROM pfa_records WHERE pfa_id LIKE 'STUBBORN-%'")).map(({ id }) => id);
  while ((await written()).length < 5) await pause(50);
  const acknowledged = await written();
  const last = (await stand.snapshots()).at(-1)!;
  expect(last.name).toBe("before-v4.0.1");
  const { output } = await stand.upWell(PINS.restore(`${last.name}@${last.generation}`)).finally(() => user.stop());
  expectNothingLost(await user.judgement((await stand.last())!.epoch));
  expect(output).toMatch(/stopped worker \(killed\)/);
  // An id may have gone to another process since, and a dead one keeps it until it is reaped.
  expect(isAlive(stubborn), "the stubborn worker still runs").toBe(false);
  expect(await stand.version()).toBe("v3.0.0");
  expect(await written()).toEqual([]);
  expect(await stand.lost(acknowledged)).toEqual([]);
});
