/** Writers that do not want to stop, at the fence of a restore: every acknowledged row is in live, quarantine or export. */
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { endpointOf, servicesUrl, type Site } from "../../declared/site.ts";
import { connect } from "../../postgres/connection.ts";
import { SYNC_MIGRATION } from "../../systems/pfa-vanguard/database.ts";
import { ledgerEntry, makeRelease } from "./releases.ts";
import { makeStand, pause, PINS, type Stand } from "./stand.ts";

const INSERT = "INSERT INTO pfa_records (pfa_id, organization_id, category, description) VALUES ($1, 'org-rio', 'Equipment', 'hostile')";

let stand: Stand;
beforeAll(async () => {
  stand = await makeStand({
    // max_prepared_transactions is 0 by default; the server takes it at its next start.
  });
  await stand.upWell();
  await stand.insertWell("H-BASE");
});
afterAll(() => stand?.destroy());

async function forward(): Promise<string> {
  await stand.upWell(PINS.forward);
  await stand.untilArmed();
  const last = (await stand.snapshots()).at(-1)!;
  return `${last.name}@${last.generation}`;
}

interface Hostile {
  acknowledged: string[];
  /** Sessions the server ended under it. */
  ended: number;
  stop(): Promise<void>;
}

/** Writes as fast as it can; whatever ends it, it comes back. */
function hostile(prefix: string, write: (id: string) => Promise<void>, close: () => Promise<void>): Hostile {
  let going = true;
  const state: Hostile = { acknowledged: [], ended: 0, stop: async () => undefined };
  const work = (async () => {
    for (let serial = 1; going; serial++) {
      const id = `${prefix}-${String(serial).padStart(6, "0")}`;
      try {
        await write(id);
        state.acknowledged.push(id);
      } catch {
        state.ended += 1;
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
  return hostile(prefix, async (id) => void (await sessions.query(INSERT, [id])), () => sessions.end());
}

/** A superuser in a loop: neither a connection limit nor a revoked grant keeps it out. */
function superuser(site: Site, prefix: string): Hostile {
  let client: pg.Client | null = null;
  return hostile(
    prefix,
    async (id) => {
      try {
        client ??= await connect(endpointOf(site), stand.live);
        await client.query(INSERT, [id]);
      } catch (error) {
        await client?.end().catch(() => undefined);
        client = null;
        throw error;
      }
    },
    async () => client?.end().catch(() => undefined),
  );
}

test("a reconnecting pool and a superuser in a loop: the restore goes through, nothing they were promised is lost", async () => {
  const snapshot = await forward();
  const writers = [pool("POOL"), superuser(stand.site, "ROOT")];
  const user = stand.writer();
  await user.another();
  try {
    await stand.upWell(PINS.restore(snapshot));
    await user.another();
  } finally {
    await user.stop();
    for (const writer of writers) await writer.stop();
  }
  for (const { acknowledged, ended } of writers) {
    expect(acknowledged.length).toBeGreaterThan(0);
    expect(ended, "it was there when the fence closed").toBeGreaterThan(0);
  }
  expect(await stand.version()).toBe("v3.0.0");
  expect(stand.gate()?.mode).toBe("open");
  expect(await stand.lost([...user.acknowledged, ...writers.flatMap(({ acknowledged }) => acknowledged)])).toEqual([]);
  const [before] = await stand.sql<{ rows: number }>("SELECT count(*)::int AS rows FROM pfa_records WHERE pfa_id = 'H-BASE'");
  expect(before?.rows).toBe(1);
});

test("a prepared transaction: refused before anything stops, naming it and the command that ends it", async () => {
  await forward();
  await stand.sql("ALTER SYSTEM SET max_prepared_transactions = 5", [], "postgres");
  process.kill(stand.pids().server!, "SIGINT");
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

  await stand.session(stand.live, async (client) => void (await client.query("COMMIT PREPARED 'of somebody else'")));
  await stand.upWell();
  expect(await stand.version()).toBe("v3.0.0");
  expect(await stand.lost([row])).toEqual([]);
  stand.write(text);
  await stand.upWell();
});

test("a worker that ignores SIGTERM and writes on: it is killed, and the restore goes through", async () => {
  const release = makeRelease(stand.folder, {
    from: "v4.0.0",
    version: "v4.0.1",
    alter: (component, text) =>
      component !== "worker"
        ? text
        : `${text}
for (const signal of ["SIGTERM", "SIGINT"]) process.removeAllListeners(signal).on(signal, () => log.info("no"));
let serial = 0;
setInterval(() => void database.transaction(async (session) => {
  await session.query(${JSON.stringify(INSERT)}, [\`STUBBORN-\${process.pid}-\${++serial}\`]);
}).catch(() => undefined), 20);
`,
  });
  await stand.upWell([await ledgerEntry(release, "v4.0.1", SYNC_MIGRATION), ...PINS.forward, { path: ["release"], value: "v4.0.1" }]);
  const { worker } = stand.pids();
  const written = async () => (await stand.sql<{ id: string }>("SELECT pfa_id AS id FROM pfa_records WHERE pfa_id LIKE 'STUBBORN-%'")).map(({ id }) => id);
  while ((await written()).length < 5) await pause(50);
  const acknowledged = await written();
  const last = (await stand.snapshots()).at(-1)!;
  expect(last.name).toBe("before-v4.0.1");
  const { output } = await stand.upWell(PINS.restore(`${last.name}@${last.generation}`));
  expect(output).toMatch(/stopped worker \(killed\)/);
  expect(() => process.kill(worker!, 0)).toThrow();
  expect(await stand.version()).toBe("v3.0.0");
  expect(await written()).toEqual([]);
  expect(await stand.lost(acknowledged)).toEqual([]);
});
