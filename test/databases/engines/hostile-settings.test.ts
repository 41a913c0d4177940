/** Whatever users set for a database and for backout's own role: a deployment's snapshot, a restore and its undo bring back every value exactly. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { postgres } from "./whole.ts";
import { clientOf } from "../../../databases/postgres/engine/session.ts";
import type { RolloutPlan, DataAction } from "../../../config/plan.ts";
import type { Run } from "../../../config/run.ts";
import type { Server } from "../../../config/site.ts";
import { passwordOf } from "../../../databases/postgres/connection.ts";
import { readProperties } from "../../../databases/postgres/properties.ts";
import { missingDebianServer, startDebianServer } from "../postgres/drivers/debian-server.ts";
import { startHosted } from "../in-place/hosted.ts";
import { ownServer } from "../postgres/own-server.ts";
import { DATABASE, makeStand, PINS, planOf, RESTORE, type Stand } from "./postgres-stand.ts";

const HOSTILE: Record<string, string> = {
  default_transaction_read_only: "on",
  default_transaction_isolation: "serializable",
  statement_timeout: "1ms",
  lock_timeout: "1ms",
  idle_in_transaction_session_timeout: "1ms",
  idle_session_timeout: "1ms",
  search_path: "elsewhere",
  row_security: "off",
  standard_conforming_strings: "off",
  exit_on_error: "on",
  TimeZone: "Asia/Tokyo",
  DateStyle: "SQL, DMY",
  IntervalStyle: "iso_8601",
  extra_float_digits: "-3",
  bytea_output: "escape",
  xmlbinary: "hex",
  quote_all_identifiers: "on",
  client_encoding: "LATIN1",
  role: "nobody_much",
};

/** Values that are shown otherwise under those settings, or are lost by them. */
const KINDS = `
  CREATE TABLE kinds (id int PRIMARY KEY, at timestamptz, day date, span interval, ratio float8, bytes bytea, note text);
  INSERT INTO kinds VALUES (1, '2026-03-04 05:06:07.000001Z', '2026-03-04', '1 mon 2 days 03:04:05', 0.1::float8 + 0.2, '\\x00ff27', E'Łódź € \\\\ ''');`;
const CHANGED = "UPDATE kinds SET ratio = 1e-300, note = 'žluťoučký', span = '-1 day', bytes = '\\xdeadbeef' WHERE id = 1";

interface Kind {
  server: Server;
  make: (run: Run) => Promise<void>;
  stop: () => Promise<void>;
}

function holds(start: () => Promise<Kind>): void {
  let kind: Kind;
  let stand: Stand;
  beforeAll(async () => void (kind = await start()), 120_000);
  afterAll(() => kind?.stop());
  beforeEach(async () => void (stand = await makeStand(kind.server, kind.make)));
  afterEach(() => stand.end());

  const kinds = () => stand.sql("SELECT * FROM kinds");
  const settings = async (run: Run) => (await readProperties(clientOf(run.state), DATABASE)).settings;

  async function closed(epoch: number, action: DataAction): Promise<Run> {
    const run = await stand.run(epoch);
    await stand.engine.keepProperties(run, DATABASE, true);
    await stand.engine.close(run, DATABASE);
    const plan = { forward: false, fenceData: true, databases: { [DATABASE]: planOf(action) } } as unknown as RolloutPlan;
    await run.state.beginRollout({ epoch, rollout: `rollout-${epoch}`, pins: PINS, plan, runId: `run-${epoch}`, reason: null });
    return run;
  }

  test("a snapshot is taken, with its standby copy, restored and undone, every value and every setting as it was", async () => {
    const hostile = async () => {
      await stand.sql(KINDS);
      for (const of of [`DATABASE ${DATABASE}`, "ROLE CURRENT_USER"])
        for (const [name, value] of Object.entries(HOSTILE)) await stand.sql(`ALTER ${of} SET ${name} TO '${value}'`);
    };
    const { run, snapshot } = await stand.snapshotted({ prepare: hostile });
    const set = await settings(run);
    expect(set.length).toBeGreaterThanOrEqual(Object.keys(HOSTILE).length);
    await stand.engine.admit(run, DATABASE, "everybody");
    const before = await kinds();
    await stand.engine.makeStandby({ ...run }, snapshot);
    await stand.sql(CHANGED);
    const since = await kinds();
    expect(since).not.toEqual(before);

    const third = await closed(3, RESTORE);
    expect((await stand.engine.rowsSince(third, DATABASE, snapshot)).rows).toEqual({
      customers: { inserted: 0, updated: 0, deleted: 0 },
      orders: { inserted: 0, updated: 0, deleted: 0 },
      kinds: { inserted: 0, updated: 1, deleted: 0 },
    });
    const cut = await stand.engine.cutOver(third, DATABASE, RESTORE, snapshot);
    const aside = (await third.state.catalogued()).find(({ role }) => role === "quarantine")!;
    const folder = join(stand.folder, "since");
    const files = await stand.engine.exportSince(third, aside, snapshot, folder, "run-3");
    const [file] = files.filter(({ path }) => path.endsWith("kinds.jsonl"));
    expect(JSON.parse(readFileSync(file!.path, "utf8").trim())).toMatchObject({
      row: { note: "žluťoučký", span: "-1 days", bytes: "\\xdeadbeef", at: "2026-03-04 05:06:07.000001+00", day: "2026-03-04" },
    });
    await stand.engine.admit(third, DATABASE, "everybody");
    expect(await kinds()).toEqual(before);
    expect(await settings(third)).toEqual(set);

    const undo: DataAction = { kind: "undo", quarantine: cut!.quarantine };
    const fourth = await closed(4, undo);
    await stand.engine.cutOver(fourth, DATABASE, undo, null);
    await stand.engine.admit(fourth, DATABASE, "everybody");
    expect(await kinds()).toEqual(since);
    expect(await settings(fourth)).toEqual(set);
  });
}

describe("settings of a database and of backout's role, by driver: template", () => {
  holds(async () => {
    const server = await ownServer();
    await (await server.open("postgres")).query("CREATE ROLE nobody_much; GRANT nobody_much TO backout");
    const { host, port, user } = server.endpoint;
    return {
      server: { embedded: false, host, port, user, password: passwordOf(server.endpoint)!, driver: "template", databases: {} },
      make: (run) => postgres.make(run, DATABASE),
      stop: () => server.remove(),
    };
  });
});

const missing = missingDebianServer();
describe.skipIf(missing !== null)("dump", () => {
  holds(async () => {
    const server = await startDebianServer();
    const { host, port, user, password } = server.endpoint;
    return {
      server: { embedded: false, host, port, user, password: password!, driver: "dump", databases: {} },
      make: async (run) => {
        await clientOf(run.state).query("CREATE ROLE nobody_much; GRANT nobody_much TO backout");
        await postgres.make(run, DATABASE);
      },
      stop: () => server.stop(),
    };
  });
});

describe.skipIf(missing !== null)("in place", () => {
  holds(async () => {
    const hosted = await startHosted();
    const { host, port, user, password } = hosted.endpoint;
    const first = await hosted.database(DATABASE);
    await first.query("CREATE ROLE nobody_much; GRANT nobody_much TO hosted");
    await first.end();
    return {
      server: { embedded: false, host, port, user, password: password!, driver: "in-place", databases: {} },
      make: () => Promise.resolve(),
      stop: () => hosted.stop(),
    };
  });
});
