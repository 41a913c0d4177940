/** Rollbacks of every scope, by plain Pulumi and by the verbs, on one stack that goes forward and back again and again. */
// Longer than 300 lines: one stack goes forward and back through the tests in their order.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { RowChanges } from "../../rollout/at-risk.ts";
import type { RolloutPreview } from "../../rollout/preview.ts";
import { ownerRole } from "../../config/site.ts";
import type { RolloutOutcome } from "../../scripts/pulumi/roll-out.ts";
import type { HistoryEntry } from "../../scripts/verbs/history.ts";
import type { Status } from "../../scripts/pulumi/answers.ts";
import { SYNC_MIGRATION, SYNC_TABLES } from "../../systems/pfa-vanguard/api.ts";
import { planPems, type Pems } from "./pems.ts";
import { makeStand, pause, PINS, until, type Stand } from "./stand.ts";

let stand: Stand;
let pems: Pems;
let serial = 0;
/** Never the same row twice, however often the data goes back. */
const fresh = (): string => `R-${String(++serial).padStart(4, "0")}`;

beforeAll(async () => {
  pems = await planPems();
  stand = await makeStand({ edits: [pems.edit] });
  await pems.begin(stand);
  await stand.upWell();
  await stand.insertWell("BASE-1", "BASE-2", "BASE-3");
});
afterAll(async () => {
  await pems?.end();
  await stand?.destroy();
});

/** v4.0.0 with everything running; resolves with the snapshot that was taken on the way. */
async function forward(): Promise<string> {
  await stand.upWell(PINS.forward);
  return (await newest())!;
}

async function newest(): Promise<string | null> {
  const last = (await stand.snapshots()).at(-1);
  return last === undefined ? null : `${last.name}@${last.generation}`;
}

async function lookedAhead(): Promise<RolloutPreview> {
  const { json } = await stand.verb<{ preview: RolloutPreview; refused: string[] }>("preview");
  expect(json.refused).toEqual([]);
  return json.preview;
}

async function atRisk(): Promise<Record<string, RowChanges>> {
  return (await lookedAhead()).databases["pfa"]!.atRisk?.rows ?? {};
}

/** What a plain preview says in its own lines, warnings too; the engine's own are among them. */
function told(output: string): string[] {
  return output.split("\n").map((line) => line.replace(/^warning: /, "").trimEnd());
}

/** Names of what the last rollout set aside, as the stack's outputs tell them. */
async function setAside(): Promise<Record<string, string | null>> {
  const { code, output } = await stand.pulumi(["stack", "output", "--json"]);
  expect(code, output).toBe(0);
  return (JSON.parse(output) as { quarantines: Record<string, string | null> }).quarantines;
}

/** Until the worker has pushed whatever waits, changes of these records too; resolves with how many pushes PEMS has seen since the way forward. */
async function untilPushed(...ids: string[]): Promise<number> {
  await until("the queue is pushed", async () => (await stand.sql("SELECT FROM pfa_write_queue WHERE status <> 'pushed'")).length === 0);
  const since = await stand.state((store) => store.lastForwardAt());
  const pushed = pems.pushedSince(since!);
  expect(pushed, "really pushed").toEqual(expect.arrayContaining(ids));
  return pushed.length;
}

/** How long users were kept out by each rollback of scope `restore`, newest first. */
async function secondsOfRestores(): Promise<number[]> {
  const { json } = await stand.verb<{ rollouts: HistoryEntry[] }>("history");
  return json.rollouts
    .filter(({ scope, openedAt }) => scope === "restore" && openedAt !== null)
    .map(({ startedAt, openedAt }) => (Date.parse(openedAt!) - Date.parse(startedAt)) / 1000);
}

async function migration(): Promise<{ applied: boolean; rolledBack: boolean }> {
  const rows = await stand.sql<{ applied: boolean; back: boolean }>(
    "SELECT finished_at IS NOT NULL AS applied, rolled_back_at IS NOT NULL AS back FROM _prisma_migrations WHERE migration_name = $1 ORDER BY started_at",
    [SYNC_MIGRATION],
  );
  return { applied: rows.some(({ applied, back }) => applied && !back), rolledBack: rows.some(({ back }) => back) };
}

async function tables(): Promise<string[]> {
  const rows = await stand.sql<{ name: string }>("SELECT name FROM unnest($1::text[]) AS name WHERE to_regclass(name) IS NOT NULL", [
    SYNC_TABLES,
  ]);
  return rows.map(({ name }) => name);
}

function exported(path: string): { op: string; row: Record<string, string> | null }[] {
  return readFileSync(path, "utf8")
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line) as { op: string; row: Record<string, string> | null });
}

describe("scopes", () => {
  test("quick: code goes back, the worker stays off, schema and rows are kept, the release is blocked", async () => {
    await forward();
    const row = fresh();
    await stand.insertWell(row);
    const { code, json, stderr } = await stand.verb<RolloutOutcome>(
      "rollback",
      "--to",
      "v3.0.0",
      "--scope",
      "quick",
      "--incident",
      "INC-1",
      "--yes",
    );
    expect(code, stderr).toBe(0);
    expect(json).toMatchObject({
      ok: true,
      scope: "quick",
      from: "v4.0.0",
      to: "v3.0.0",
      cutOverMs: null,
      quarantine: null,
      failure: null,
    });
    expect(json.checks.filter(({ status }) => status === "failed")).toEqual([]);
    expect(await stand.version()).toBe("v3.0.0");
    expect(await stand.frontendVersion()).toBe("v3.0.0");
    expect(await stand.ids()).toContain(row);
    expect(await tables()).toEqual(SYNC_TABLES);
    expect(await migration()).toEqual({ applied: true, rolledBack: false });
    expect(stand.pids().worker).toBeNull();
    expect(stand.text()).toMatch(/backout:blocked:\n\s+v4\.0\.0: INC-1/);

    const { backend } = stand.pids();
    expect((await stand.upWell()).counts["updated"] ?? 0, "a second up has nothing to do").toBe(0);
    expect(stand.pids()).toMatchObject({ worker: null, backend });

    const refused = await stand.up([{ path: ["release"], value: "v4.0.0" }]);
    expect(refused.code).not.toBe(0);
    expect(refused.output).toMatch(/blocked by INC-1/);
    expect(await stand.version()).toBe("v3.0.0");
  });

  test("full: the migration is marked rolled back, its tables remain; forward again applies it again", async () => {
    await forward();
    expect(await migration()).toMatchObject({ applied: true });
    const row = fresh();
    await stand.insertWell(row);
    await stand.upWell([
      { path: ["release"], value: "v3.0.0" },
      { path: ["services", "worker", "run"], value: "off" },
      { path: ["schema"], value: "mark" },
      { path: ["scope"], value: "full" },
    ]);
    expect((await stand.last())?.plan.scope).toBe("full");
    expect(await migration()).toEqual({ applied: false, rolledBack: true });
    expect(await tables()).toEqual(SYNC_TABLES);
    expect(await stand.version()).toBe("v3.0.0");
    expect(stand.pids().worker).toBeNull();
    expect(await stand.ids()).toContain(row);

    await forward();
    expect(await migration()).toEqual({ applied: true, rolledBack: true });
    expect(await stand.version()).toBe("v4.0.0");
    expect(stand.pids().worker).not.toBeNull();
  });

  test("restore: rows as in the snapshot, rows written since exported, the old database in quarantine, and all of it told beforehand", async () => {
    const snapshot = await forward();
    await stand.untilStandby();
    const [inserted, before] = [fresh(), await stand.ids()];
    await stand.insertWell(inserted);
    await stand.update("BASE-1", "changed since");
    const pushed = await untilPushed(inserted, "BASE-1");
    const preview = await stand.preview(PINS.restore(snapshot));
    expect(preview.code, preview.output).toBe(0);
    expect(told(preview.output)).toEqual(
      expect.arrayContaining([
        "v4.0.0 → v3.0.0 (scope restore)",
        "worker: v4.0.0 → v3.0.0, configuration, stopped",
        "backend: v4.0.0 → v3.0.0",
        "frontend: v4.0.0 → v3.0.0",
        `pfa: restored from ${snapshot}; what is there now goes into quarantine`,
        "pfa: the snapshot has its standby copy: the cut-over is a rename",
        "pfa: rows at risk (counted) in pfa_records: 1 inserted, 1 updated, 0 deleted; kept in quarantine and export",
        "stops, in this order: worker, backend",
        `cannot be undone: rows already pushed to the PEMS API (worker): ${pushed}`,
        // Drills of this project, where there were some, know it better than what stops.
        expect.stringMatching(
          /^users get 503 for about (?!0(?:\.0)? s)\d+(?:\.\d)? s \((no earlier one like it; from what stops and what is copied|median of the last [1-5] drills of it)\)$/,
        ),
      ]),
    );
    expect(preview.output).not.toMatch(/NO standby copy/);
    expect(await stand.version(), "a preview changes nothing").toBe("v4.0.0");

    await stand.upWell();
    expect(await stand.version()).toBe("v3.0.0");
    expect(await stand.frontendVersion()).toBe("v3.0.0");
    expect(await stand.ids()).toEqual(before);
    const [changed] = await stand.sql<{ description: string }>("SELECT description FROM pfa_records WHERE pfa_id = 'BASE-1'");
    expect(changed?.description).toBe("written by a test");
    const epoch = (await stand.last())!.epoch;
    const [quarantine] = (await stand.quarantines()).filter((one) => one.epoch === epoch);
    expect(quarantine?.name).toBe(`pfa_quarantine_${epoch}`);
    expect(await setAside(), "what an undo pins is told by the stack").toEqual({ pfa: quarantine!.name });
    expect(await stand.inside(quarantine!.name, "SELECT pfa_id FROM pfa_records WHERE pfa_id = $1", [inserted])).toHaveLength(1);

    const files = await stand.exports(epoch);
    for (const { path, sha256 } of files) expect(createHash("sha256").update(readFileSync(path)).digest("hex")).toBe(sha256);
    const lines = exported(files.find(({ path }) => path.endsWith(".pfa_records.jsonl"))!.path);
    expect(lines.map(({ op, row }) => [op, row?.["pfa_id"]]).sort()).toEqual(
      [
        ["insert", inserted],
        ["update", "BASE-1"],
      ].sort(),
    );
    expect(readFileSync(files.find(({ path }) => path.endsWith(".pfa_records.csv"))!.path, "utf8")).toContain(inserted);
  });

  test("worker: the flag is off, users read that it is read-only: writes 503, reads 200; the release stays", async () => {
    await forward();
    const { code, json, stderr } = await stand.verb<RolloutOutcome>(
      "rollback",
      "--scope",
      "worker",
      "--to",
      "v4.0.0",
      "--reason",
      "sync broken",
      "--yes",
    );
    expect(code, stderr).toBe(0);
    expect(json.scope).toBe("worker");
    expect(await stand.version()).toBe("v4.0.0");
    expect(stand.pids().worker).toBeNull();
    expect(await stand.sql("SELECT enabled FROM feature_flags WHERE flag_name = 'bi_directional_sync'")).toEqual([{ enabled: false }]);
    expect(stand.gate()?.mode).toBe("read-only");
    const write = await stand.insert(await stand.login(), fresh());
    expect(write.status).toBe(503);
    expect(await write.text()).toContain("Sync temporarily disabled");
    expect(await stand.ids()).toContain("BASE-1");
    const banner = (await (await stand.ask("/__backout/maintenance", {}, "frontend")).json()) as { mode: string; message: string };
    expect(banner).toMatchObject({ mode: "read-only", message: expect.stringContaining("Sync temporarily disabled") as string });
  });

  test("backend: its code alone goes back, the worker stops, the frontend stays", async () => {
    await forward();
    const row = fresh();
    await stand.insertWell(row);
    const before = (await stand.quarantines()).length;
    await stand.upWell([
      { path: ["services", "backend", "release"], value: "v3.0.0" },
      { path: ["services", "worker", "run"], value: "off" },
    ]);
    // Nobody wrote which scope it is: none is guessed, and every check ran.
    expect((await stand.last())?.plan).toMatchObject({ scope: null, stop: ["worker", "backend"], fenceData: false });
    expect(await stand.version()).toBe("v3.0.0");
    expect(await stand.frontendVersion()).toBe("v4.0.0");
    expect(stand.pids().worker).toBeNull();
    expect(await stand.ids()).toContain(row);
    expect(await stand.quarantines()).toHaveLength(before);
  });

  test("frontend: nothing is fenced: no process ends, the gate never closes, every write is acknowledged", async () => {
    await forward();
    const before = stand.pids();
    let going = true;
    const modes = new Set<string | undefined>();
    const statuses = new Set<number>();
    const token = await stand.login();
    const watch = (async () => {
      while (going) {
        modes.add(stand.gate()?.mode);
        const response = await stand.insert(token, fresh());
        statuses.add(response.status);
        await response.arrayBuffer();
        await pause(5);
      }
    })();
    await stand
      .upWell([
        { path: ["services", "frontend", "release"], value: "v3.0.0" },
        { path: ["scope"], value: "frontend" },
      ])
      .finally(() => (going = false));
    await watch;
    expect((await stand.last())?.plan).toMatchObject({ scope: "frontend", stop: [], closeGate: false, fenceData: false });
    expect(stand.pids()).toEqual(before);
    expect([...modes]).toEqual(["open"]);
    expect([...statuses]).toEqual([200]);
    expect(await stand.frontendVersion()).toBe("v3.0.0");
    expect(await stand.version()).toBe("v4.0.0");
  });
});

describe("back and forth", () => {
  beforeAll(() => stand.upWell([...PINS.forward, { path: ["release"], value: "v3.0.0" }]));

  test("forward again, back again, undo by one pin: each counts its own rows at risk", async () => {
    const first = await forward();
    const [one, two, three, four] = [fresh(), fresh(), fresh(), fresh()];
    await stand.insertWell(one, two);
    stand.pin(PINS.restore(first));
    expect(records(await atRisk())).toEqual({ inserted: 2, updated: 0, deleted: 0 });
    await stand.upWell();
    const { pfa: set } = await setAside();

    await stand.insertWell(three);
    stand.pin([{ path: ["data"], value: `quarantine:${set!}` }]);
    expect(records(await atRisk())).toEqual({ inserted: 1, updated: 0, deleted: 0 });
    await stand.upWell();
    const undone = await stand.ids();
    expect(undone).toEqual(expect.arrayContaining([one, two]));
    expect(undone).not.toContain(three);
    expect(await stand.lost([one, two, three])).toEqual([]);
    expect((await stand.lineage()).quarantine).toBe(set);
    expect(await stand.version(), "only the data was pinned").toBe("v3.0.0");
    expect((await stand.upWell()).counts["updated"] ?? 0).toBe(0);

    const second = await forward();
    expect(second).not.toBe(first);
    expect(await stand.ids()).toEqual(expect.arrayContaining([one, two]));
    await stand.insertWell(four);
    stand.pin(PINS.restore(second));
    const { databases, estimate } = await lookedAhead();
    expect(records(databases["pfa"]!.atRisk!.rows)).toEqual({ inserted: 1, updated: 0, deleted: 0 });
    const took = await secondsOfRestores();
    expect(estimate.basis).toBe(`median of the last ${took.length} like it`);
    // Rounded up to a tenth, and what there may be to copy is small.
    const median = took.sort((a, b) => a - b)[Math.floor(took.length / 2)]!;
    // Work begins with the first step, a moment after the rollout was begun.
    expect(estimate.seconds).toBeGreaterThan(median - 1);
    expect(estimate.seconds).toBeLessThan(median + 1);
    await stand.upWell();
    const back = await stand.ids();
    expect(back).toEqual(expect.arrayContaining([one, two]));
    expect(back).not.toContain(four);
    expect(await stand.lost([one, two, three, four])).toEqual([]);
  });

  test("the same snapshot once more is asked for by `again`", async () => {
    const snapshot = (await newest())!;
    expect((await stand.lineage()).snapshot).toMatchObject({ name: "before-v4.0.0", again: 0 });
    const row = fresh();
    await stand.insertWell(row);
    expect((await stand.upWell()).counts["updated"] ?? 0, "the same pin alone restores nothing").toBe(0);
    expect(await stand.ids()).toContain(row);
    await stand.upWell([{ path: ["data"], value: { snapshot, again: 1 } }]);
    expect((await stand.lineage()).snapshot).toMatchObject({ again: 1 });
    expect(await stand.ids()).not.toContain(row);
    expect(await stand.lost([row])).toEqual([]);
    expect((await stand.upWell()).counts["updated"] ?? 0).toBe(0);
  });

  test("`newWrites: reject` refuses the plan, by the verb and by `up`: nothing stops; what comes after the plan is counted inside the fence, and everything runs again", async () => {
    await stand.upWell([...PINS.forward, { path: ["standby"], value: "never" }]);
    const snapshot = (await newest())!;
    const asDeployed = stand.text();
    const preview = await stand.preview(PINS.restore(snapshot));
    expect(preview.code, preview.output).toBe(0);
    expect(told(preview.output)).toEqual(
      expect.arrayContaining([
        `pfa: restored from ${snapshot}; what is there now goes into quarantine`,
        expect.stringMatching(/^pfa: the snapshot has NO standby copy: the copy is made first, in about [\d.]+ s, while users are in/),
        "pfa: no rows at risk (counted)",
      ]),
    );
    expect(preview.output).not.toMatch(/the snapshot has its standby copy/);
    stand.write(asDeployed);
    await stand.upWell([{ path: ["newWrites"], value: "reject" }]);
    const text = stand.text();
    const last = await stand.last();
    const back = ["rollback", "--to", "v3.0.0", "--scope", "restore", "--snapshot", snapshot, "--incident", "INC-2", "--yes"] as const;
    const refusal = /newWrites is "reject" and \d+ rows? of pfa (?:was|were) written since \((?!.*feature_flags)/;

    // The update has been planned when the row comes.
    const row = fresh();
    const { goOn } = await stand.holdVerb("plan.after", ...back);
    await stand.insertWell(row);
    const fenced = await goOn();
    expect(fenced.code, fenced.stderr).toBe(3);
    expect(stand.text()).toBe(text);
    expect((await stand.last())?.state).toBe("refused");
    expect((JSON.parse(fenced.stdout) as { error: { message: string } }).error.message).toMatch(refusal);
    const runsAgain = async (): Promise<void> => {
      expect(stand.gate()?.mode).toBe("open");
      const { backend, worker } = stand.pids();
      expect([backend, worker]).not.toContain(null);
      expect(await stand.version()).toBe("v4.0.0");
      expect(await stand.ids()).toContain(row);
      await stand.insertWell(fresh());
    };
    await runsAgain();
    expect((await stand.up()).code, "the pins of before are still in force").toBe(0);
    expect((await stand.upWell()).counts["updated"] ?? 0).toBe(0);

    const running = stand.pids();
    const before = await stand.last();
    expect(before?.epoch).toBeGreaterThan(last!.epoch);
    const verb = await stand.verb<{ error: { message: string } }>(...back);
    expect(verb.code, verb.stderr).toBe(3);
    expect(verb.json.error.message).toMatch(refusal);
    expect(stand.text()).toBe(text);
    const up = await stand.up(PINS.restore(snapshot));
    expect(up.code).not.toBe(0);
    expect(up.output).toMatch(refusal);
    expect(stand.pids()).toEqual(running);
    expect(await stand.last()).toEqual(before);
    await runsAgain();

    const allowed = await stand.up([
      ...PINS.restore(snapshot),
      { path: ["newWrites"], value: "export" },
      { path: ["standby"], value: undefined },
    ]);
    expect(allowed.code, allowed.output).toBe(0);
    expect(await stand.version()).toBe("v3.0.0");
    expect(await stand.lost([row])).toEqual([]);
  });

  test("`newWrites: reject`, killed in the fence before anything was counted: the next update opens again what was closed", async () => {
    await stand.upWell([...PINS.forward, { path: ["newWrites"], value: "reject" }]);
    const asDeployed = stand.text();
    const standing = await stand.hold("plan.after", PINS.restore((await newest())!), "killed-in-the-fence");
    const row = fresh();
    await stand.insertWell(row);
    standing.go();
    await until("the gate is closed", () => stand.gate()?.mode === "closed");
    standing.kill("provider");
    await standing.exited;
    expect(stand.gate()?.mode).toBe("closed");
    const again = await stand.up();
    expect(again.code).not.toBe(0);
    expect(again.output).toMatch(/newWrites is "reject" and \d+ rows? of pfa (?:was|were) written since/);
    expect((await stand.last())?.state).toBe("refused");
    expect(stand.gate()?.mode).toBe("open");
    expect(await stand.version()).toBe("v4.0.0");
    await stand.insertWell(fresh());
    expect(await stand.ids()).toContain(row);
    stand.write(asDeployed);
    await stand.upWell([{ path: ["newWrites"], value: undefined }]);
  });
});

describe("what surrounds the data", () => {
  test("owner, grants, settings, comment and connection limit are kept over a restore and its undo", async () => {
    const snapshot = await forward();
    const { live } = stand;
    for (const statement of [
      "CREATE ROLE e2e_reader LOGIN PASSWORD 'reader'",
      `REVOKE CONNECT ON DATABASE ${live} FROM PUBLIC`,
      `GRANT CONNECT, TEMPORARY ON DATABASE ${live} TO e2e_reader`,
      `ALTER DATABASE ${live} SET work_mem = '5MB'`,
      `ALTER ROLE e2e_reader IN DATABASE ${live} SET statement_timeout = '7s'`,
      `COMMENT ON DATABASE ${live} IS 'kept over a restore'`,
      `ALTER DATABASE ${live} CONNECTION LIMIT 77`,
    ])
      await stand.sql(statement, [], "postgres");
    const properties = () =>
      stand.sql(
        `SELECT d.datdba::regrole::text AS owner, d.datconnlimit AS "limit", d.datallowconn AS allowed, shobj_description(d.oid, 'pg_database') AS comment,
           (SELECT array_agg(a.grantee::regrole::text || ' ' || a.privilege_type ORDER BY a.grantee::regrole::text, a.privilege_type) FROM aclexplode(d.datacl) a) AS grants,
           (SELECT array_agg(s.setrole::regrole::text || ' ' || array_to_string(s.setconfig, ',') ORDER BY s.setrole) FROM pg_db_role_setting s WHERE s.setdatabase = d.oid) AS settings
         FROM pg_database d WHERE d.datname = $1`,
        [live],
        "postgres",
      );
    const before = await properties();
    expect(before[0]).toMatchObject({ owner: ownerRole(stand.site), limit: 77, comment: "kept over a restore", allowed: true });
    await stand.upWell(PINS.restore(snapshot));
    expect(await properties()).toEqual(before);
    await stand.upWell([{ path: ["data"], value: `quarantine:${(await stand.quarantines()).at(-1)!.name}` }]);
    expect(await properties()).toEqual(before);
  });

  test("`status` tells each copy as it is on the server: snapshots with standby copy or not, quarantines, bytes", async () => {
    await stand.untilStandby();
    const onServer = async () =>
      new Map(
        (
          await stand.sql<{ name: string; bytes: string }>(
            "SELECT datname AS name, pg_database_size(oid) AS bytes FROM pg_database WHERE datname LIKE 'pfa\\_%' AND datname NOT LIKE '%\\_backout'",
            [],
            "postgres",
          )
        ).map(({ name, bytes }) => [name, Number(bytes)] as const),
      );
    const standbyCopies = (names: Iterable<string>, id: number) => [...names].filter((name) => name.startsWith(`pfa_standby_${id}_`));
    const look = async () => {
      const before = await onServer();
      const { code, json, stderr } = await stand.verb<Status>("status");
      const after = await onServer();
      expect(code, stderr).toBe(0);
      expect([...after.keys()].sort()).toEqual([...before.keys()].sort());
      const kept = await stand.snapshots();
      expect(json.snapshots).toEqual(
        kept.map(({ id, name, generation, takenAt, sizeBytes }) => ({
          name: `${name}@${generation}`,
          database: "pfa",
          takenAt,
          standby: standbyCopies(before.keys(), id).length > 0,
          // Nobody knows why a copy that somebody dropped is not there.
          noStandby: standbyCopies(before.keys(), id).length > 0 ? null : (expect.toBeOneOf([expect.any(String), null]) as string | null),
          sizeBytes,
        })),
      );
      for (const { sizeBytes } of json.snapshots) expect(sizeBytes).toBeGreaterThan(1_000_000);
      const quarantines = [...before.keys()].filter((name) => name.startsWith("pfa_quarantine_"));
      expect(quarantines.length).toBeGreaterThan(0);
      expect(json.quarantines.map(({ name }) => name).sort()).toEqual(quarantines.sort());
      // A copy that nobody writes to may still be tidied up by the server, and grows then; and in each database a file of the server's own
      // (pg_internal.init, some 150 kB of 8 MB) comes and goes with sessions and what they invalidate.
      const OWN = 200_000;
      const between = (bytes: number, least: number, most: number, databases: number): void => {
        expect(bytes).toBeGreaterThanOrEqual(Math.min(least, most) - databases * OWN);
        expect(bytes).toBeLessThanOrEqual(Math.max(least, most) + databases * OWN);
      };
      for (const { name, database, createdAt, sizeBytes } of json.quarantines) {
        between(sizeBytes, before.get(name)!, after.get(name)!, 1);
        expect({ database, at: Date.parse(createdAt) }).toEqual({ database: "pfa", at: expect.any(Number) as number });
      }
      const sum = (sizes: Map<string, number>): number => [...sizes.values()].reduce((all, bytes) => all + bytes, 0);
      between(json.copiesBytes, sum(before), sum(after), before.size);
      return { kept, names: [...after.keys()], json };
    };
    const { kept, names, json } = await look();
    expect(json.snapshots.at(-1)?.standby).toBe(true);
    for (const copy of standbyCopies(names, kept.at(-1)!.id)) await stand.sql(`DROP DATABASE ${copy}`, [], "postgres");
    expect((await look()).json.snapshots.at(-1)?.standby, "its copy was dropped").toBe(false);
  });

  test("retention drops what exceeds the declared numbers, never what the live data descends from or what was just set aside", async () => {
    const keep = [{ path: ["backups"] as [string], value: { keep: 1, quarantines: 1 } }];
    await stand.upWell([...PINS.forward, ...keep]);
    const snapshot = (await newest())!;
    await stand.upWell(PINS.restore(snapshot));
    const quarantines = await stand.quarantines();
    expect(quarantines.map(({ epoch }) => epoch)).toEqual([(await stand.last())!.epoch]);
    const kept = (await stand.snapshots()).map(({ name, generation }) => `${name}@${generation}`);
    expect(kept).toContain(snapshot);
    const needed = quarantines.flatMap(({ lineage }) =>
      lineage.snapshot === null ? [] : [`${lineage.snapshot.name}@${lineage.snapshot.generation}`],
    );
    expect(kept.sort()).toEqual([...new Set([snapshot, ...needed])].sort());
    const databases = (
      await stand.sql<{ name: string }>("SELECT datname AS name FROM pg_database WHERE datname LIKE 'pfa%'", [], "postgres")
    ).map(({ name }) => name);
    for (const { location } of await stand.snapshots()) expect(databases).toContain(location);
    expect(databases.filter((name) => name.includes("quarantine"))).toEqual(quarantines.map(({ name }) => name));
  });
});

function records(rows: Record<string, RowChanges>): RowChanges | undefined {
  return rows["pfa_records"] ?? rows["public.pfa_records"];
}
