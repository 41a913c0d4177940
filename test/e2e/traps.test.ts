/** What goes wrong when a rollback is a graph of a declarative engine: each trap its own test, on the real engine. */
// Longer than 300 lines: one stack goes through the traps in their order.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { PHASES, type Phase } from "../../config/phases.ts";
import type { PinEdit } from "../../config/edit.ts";
import { serverHome } from "../../config/site.ts";
import { stopServer } from "../../databases/postgres/server.ts";
import { filesBelow, makeStand, PINS, until, type Stand } from "./stand.ts";

let stand: Stand;
let serial = 0;
const fresh = (): string => `T-${String(++serial).padStart(4, "0")}`;

beforeAll(async () => {
  stand = await makeStand();
  await stand.upWell();
  await stand.insertWell("BASE-1");
  await stand.upWell(PINS.forward);
});
afterAll(() => stand?.destroy());

async function newest(): Promise<string> {
  const last = (await stand.snapshots()).at(-1)!;
  return `${last.name}@${last.generation}`;
}

/** Nobody is in the state of the engine that thinks it is done. */
async function settled(release: string): Promise<void> {
  expect(await stand.version()).toBe(release);
  expect(stand.gate()?.mode).toBe("open");
  expect((await stand.last())?.state).toBe("open");
  const again = await stand.upWell();
  expect(again.counts["updated"] ?? 0, again.output).toBe(0);
}

async function sessionsIn(database: string): Promise<number> {
  const [row] = await stand.sql<{ sessions: string }>("SELECT sessions FROM pg_stat_database WHERE datname = $1", [database], "postgres");
  return Number(row?.sessions);
}

describe("1 the gate that never opens again", () => {
  for (const point of ["fence.after", "data.after"])
    test(`a rollback fails at ${point}; the new release is pinned again`, async () => {
      await stand.upWell(PINS.forward);
      const row = fresh();
      await stand.insertWell(row);
      await stand.interrupt(point, "provider", PINS.restore(await newest()));
      expect(stand.gate()?.mode).toBe("closed");
      expect(await stand.version()).toBeNull();
      await stand.upWell(PINS.forward);
      expect(stand.pids().worker).not.toBeNull();
      await settled("v4.0.0");
      expect(await stand.lost([row])).toEqual([]);
      await stand.insertWell(fresh());
    });

  for (const point of ["fence.after", "start.before"])
    test(`a deployment fails at ${point}; the old release is pinned again`, async () => {
      await stand.upWell([...PINS.forward, { path: ["release"], value: "v3.0.0" }]);
      const row = fresh();
      await stand.insertWell(row);
      await stand.interrupt(point, "provider", PINS.forward);
      expect(stand.gate()?.mode).toBe("closed");
      await stand.upWell([{ path: ["release"], value: "v3.0.0" }]);
      await settled("v3.0.0");
      expect(await stand.ids()).toContain(row);
      await stand.insertWell(fresh());
    });
});

describe("2 the service nobody restarts", () => {
  beforeAll(() => stand.upWell(PINS.forward));

  test("what was stopped although its own pin did not change runs again", async () => {
    const before = stand.pids();
    await stand.upWell([{ path: ["backups"], value: { snapshots: ["by-hand"] } }]);
    const after = stand.pids();
    expect((await stand.last())?.plan.changes).toEqual([]);
    expect((await stand.snapshots()).map(({ name }) => name)).toContain("by-hand");
    expect(after.backend).not.toBe(before.backend);
    expect([after.backend, after.worker]).not.toContain(null);
    await settled("v4.0.0");
  });

  test("what died runs again, what is declared off stays off", async () => {
    await stand.upWell([{ path: ["services", "worker", "run"], value: "off" }]);
    process.kill(stand.pids().backend!, "SIGKILL");
    await until("the backend is gone", () => stand.pids().backend === null);
    await stand.upWell();
    expect(stand.pids()).toMatchObject({ worker: null });
    expect(await stand.version()).toBe("v4.0.0");
    await stand.upWell(PINS.forward);
    expect(stand.pids().worker).not.toBeNull();
  });
});

test("3 the snapshot not retaken: every deployment has its own generation; a name that stands for two is refused", async () => {
  await stand.upWell([...PINS.forward, { path: ["release"], value: "v3.0.0" }]);
  const generations = async () =>
    (await stand.snapshots()).filter(({ name }) => name === "before-v4.0.0").map(({ generation }) => generation);
  const before = await generations();
  const row = fresh();
  await stand.insertWell(row);
  await stand.upWell(PINS.forward);
  const after = await generations();
  expect(after.at(-1)).toBeGreaterThan(before.at(-1)!);
  const ambiguous = await stand.preview(PINS.restore("before-v4.0.0"));
  expect(ambiguous.code).not.toBe(0);
  expect(ambiguous.output).toMatch(/"before-v4\.0\.0" is ambiguous: .*before-v4\.0\.0@/);
  await stand.upWell(PINS.restore(`before-v4.0.0@${after.at(-1)}`));
  expect(await stand.ids(), "it was taken at the second deployment").toContain(row);
});

test("4 parallel by default: every phase of a real update ends before the next begins", async () => {
  await stand.upWell(PINS.forward);
  for (const rollout of ["deployment", "rollback"]) {
    if (rollout === "rollback") await stand.upWell(PINS.restore(await newest()));
    const { epoch } = (await stand.last())!;
    // What is noted beside the phases (evidence) belongs to none of them.
    const journal = (await stand.journal(epoch)).filter(({ phase }) => PHASES.includes(phase as Phase));
    const order = journal.map(({ phase }) => PHASES.indexOf(phase as Phase));
    expect(order, rollout).toEqual([...order].sort((a, b) => a - b));
    expect(new Set(journal.map(({ phase }) => phase))).toEqual(
      new Set(PHASES.filter((phase) => phase !== "plan" && (phase !== "snapshot" || rollout === "deployment"))),
    );
    for (const [index, { phase, step, status }] of journal.entries())
      if (status === "started")
        expect(
          journal.slice(index).some((later) => later.phase === phase && later.step === step && later.status === "finished"),
          `${phase}: ${step}`,
        ).toBe(true);
  }
});

describe("5 replacement: what holds the data is never replaced or left behind", () => {
  for (const [what, edits, refusal] of [
    ["another port", [{ path: ["server", "port"], value: 1 }], /backout:server\.port: the server runs on port \d+ and cannot move to 1/],
    [
      "another database",
      [{ path: ["server", "databases"], value: { pfa: "elsewhere" } }],
      /names another server or database than the one that holds the data/,
    ],
    [
      "an external server that does not answer",
      [{ path: ["server"], value: { embedded: false, host: "127.0.0.1", port: 1, user: "nobody" } }],
      /cannot be reached|cannot reach/,
    ],
  ] satisfies [string, PinEdit[], RegExp][])
    test(what, async () => {
      await stand.untilStandby();
      const text = stand.text();
      const [before, databases] = [stand.pids(), await stand.sql("SELECT datname FROM pg_database ORDER BY 1", [], "postgres")];
      const { code, output } = await stand.up(edits);
      stand.write(text);
      expect(code, output).not.toBe(0);
      expect(output).toMatch(refusal);
      expect(output).not.toMatch(/replac/);
      expect(stand.pids()).toEqual(before);
      expect(await stand.sql("SELECT datname FROM pg_database ORDER BY 1", [], "postgres")).toEqual(databases);
      expect(stand.gate()?.mode).toBe("open");
      const again = await stand.upWell();
      expect(again.counts["updated"] ?? 0, again.output).toBe(0);
    });
});

describe("6 half an update", () => {
  test("the CLI dies after the data was cut over: the next update does not do it again", async () => {
    await stand.upWell(PINS.forward);
    const row = fresh();
    await stand.insertWell(row);
    await stand.interrupt("install.before", "cli", PINS.restore(await newest()));
    stand.removeStaleLocks();
    await stand.upWell();
    await settled("v3.0.0");
    const { epoch } = (await stand.last())!;
    expect((await stand.quarantines()).filter((one) => one.epoch === epoch)).toHaveLength(1);
    const cuts = (await stand.journal(epoch)).filter(
      ({ step, status }) => step.startsWith("cut over") && status === "finished" && step !== null,
    );
    expect(cuts.filter(({ detail }) => detail !== null)).toHaveLength(1);
    expect(await stand.lost([row])).toEqual([]);
  });

  test("an old state is imported: the truth is where the data is, and rows written since stay", async () => {
    await stand.upWell(PINS.forward);
    const file = join(stand.folder, "old-state.json");
    // A secret is encrypted anew at every update: what it says is compared.
    expect((await stand.pulumi(["stack", "export", "--show-secrets", "--file", file])).code).toBe(0);
    await stand.upWell(PINS.restore(await newest()));
    const row = fresh();
    await stand.insertWell(row);
    const [lineage, quarantines] = [await stand.lineage(), await stand.quarantines()];
    expect((await stand.pulumi(["stack", "import", "--file", file])).code).toBe(0);
    await stand.upWell();
    expect(await stand.ids()).toContain(row);
    expect(await stand.lineage()).toEqual(lineage);
    expect(await stand.quarantines()).toEqual(quarantines);
    await settled("v3.0.0");
  });
});

describe("7 preview without reach", () => {
  test("the server is down: the preview works, says what is unknown and starts nothing; the update starts it again", async () => {
    const ids = await stand.ids();
    await stopServer(serverHome(stand.site), { mode: "fast" });
    const before = await everything();
    const { code, output } = await stand.preview();
    expect(code, output).toBe(0);
    expect(output).toMatch(/cannot be reached, so data at risk is unknown/);
    expect(stand.pids().server).toBeNull();
    expect(await everything()).toEqual(before);
    await stand.upWell();
    expect(stand.pids().server).not.toBeNull();
    expect(await stand.ids()).toEqual(ids);
    await settled("v3.0.0");
  });
});

test("8 check is not free: rows are compared when a pin changes, and not otherwise", async () => {
  await stand.upWell(PINS.forward);
  await stand.untilStandby();
  const { location } = (await stand.snapshots()).at(-1)!;
  const before = await sessionsIn(location);
  await stand.preview();
  await stand.upWell();
  expect(await sessionsIn(location)).toBe(before);
  const text = stand.text();
  await stand.preview(PINS.restore(await newest()));
  stand.write(text);
  await until("the comparison is counted", async () => (await sessionsIn(location)) > before);
});

describe("9 an update of one resource", () => {
  test.each([
    ["a service", "**frontend", [{ path: ["services", "frontend", "release"], value: "v3.0.0" }], "frontend"],
    ["what runs", "**start", [{ path: ["services", "worker", "run"], value: "off" }], "start"],
  ] satisfies [string, string, PinEdit[], string][])("%s is refused: it would pass the fence by", async (_what, target, edits, what) => {
    await stand.upWell(PINS.forward);
    const before = stand.pids();
    stand.pin(edits);
    const { code, output } = await stand.pulumi(["up", "--yes", "--skip-preview", "--target", target]);
    expect(code).not.toBe(0);
    expect(output).toContain(`${what} differs from rollout`);
    expect(output).toMatch(/Nothing was changed\. Run `.*pulumi.* up --stack e2e` without --target/);
    expect(stand.pids()).toEqual(before);
    expect(await stand.frontendVersion()).toBe("v4.0.0");
    await stand.upWell(PINS.forward);
    await settled("v4.0.0");
  });

  test.each([
    ["the fence", "**fence"],
    ["everything behind the fence", "**fence", "--target-dependents"],
    ["what is in front of it", "**snapshots"],
  ])("of %s, with pins of another rollout, closes nothing", async (_what, ...target) => {
    await stand.upWell(PINS.forward);
    const before = { pids: stand.pids(), last: await stand.last() };
    stand.pin(PINS.restore(await newest()));
    const { output } = await stand.pulumi(["up", "--yes", "--skip-preview", "--target", ...target]);
    expect(output).not.toMatch(/stopped (?:worker|backend)/);
    if (target[0] === "**fence")
      expect(output).toMatch(/fence differs from rollout .*Nothing was changed\. Run `.*pulumi.* up --stack e2e` without --target/);
    expect({ pids: stand.pids(), last: await stand.last() }).toEqual(before);
    expect(stand.gate()?.mode).toBe("open");
    expect(await stand.version()).toBe("v4.0.0");
    await stand.upWell(PINS.forward);
    await settled("v4.0.0");
  });

  test("of the end of a rollout that has not opened ends nothing", async () => {
    await stand.upWell(PINS.forward);
    await stand.interrupt("verify.before", "provider", PINS.restore(await newest()));
    const before = await stand.last();
    expect(before?.state).toBe("closed");
    const { code, output } = await stand.pulumi(["up", "--yes", "--skip-preview", "--target", "**finalize"]);
    expect(code).not.toBe(0);
    expect(output).toContain("finalize differs from rollout");
    expect(await stand.last()).toEqual(before);
    await stand.upWell(PINS.forward);
    await settled("v4.0.0");
  });

  test("the data stays as it is", async () => {
    await stand.upWell(PINS.forward);
    const row = fresh();
    await stand.insertWell(row);
    await stand.pulumi(["up", "--yes", "--skip-preview", "--target", "**pfa"]);
    stand.pin(PINS.restore(await newest()));
    await stand.pulumi(["up", "--yes", "--skip-preview", "--target", "**pfa"]);
    expect(await stand.ids()).toContain(row);
    await stand.upWell(PINS.forward);
    await settled("v4.0.0");
  });
});

describe("nothing to do", () => {
  beforeAll(() => stand.untilStandby());

  test("a second up changes nothing", async () => {
    const [before, state] = [await everything(), await resources()];
    const { counts, output } = await stand.upWell();
    expect(Object.keys(counts), output).toEqual(["unchanged"]);
    const after = await everything();
    // The engine keeps a record of every update of its own.
    const ours = (all: typeof before) => Object.entries(all.files).filter(([file]) => !file.includes("/.backout/"));
    expect({ ...after, files: ours(after) }).toEqual({ ...before, files: ours(before) });
    expect(await resources()).toEqual(state);
  });

  test("a preview of a rollback changes nothing: catalogs, process ids, files and state", async () => {
    await stand.insertWell(fresh());
    const text = stand.text();
    const before = await everything();
    // What the data descends from already would not be restored.
    const { snapshot: base } = await stand.lineage();
    const other = (await stand.snapshots()).filter(
      ({ name, automatic, generation }) => automatic && name === "before-v4.0.0" && generation !== base?.generation,
    );
    const { code, output } = await stand.preview(PINS.restore(`before-v4.0.0@${other.at(-1)!.generation}`));
    stand.write(text);
    expect(code, output).toBe(0);
    const said = output.split("\n").filter((line) => /^\S/.test(line));
    expect(said.join("\n")).toMatch(/rows at risk/);
    expect(await everything()).toEqual(before);
    const { code: verb } = await stand.verb("preview", "--to", "v3.0.0", "--scope", "restore", "--exact");
    expect(verb).toBe(0);
    expect(await everything()).toEqual(before);
  });
});

/** What the engine's state says of every resource; it writes them in the order in which they were registered. */
async function resources(): Promise<Record<string, unknown>> {
  const file = join(stand.folder, "state.json");
  // A secret is encrypted anew at every update: what it says is compared.
  expect((await stand.pulumi(["stack", "export", "--show-secrets", "--file", file])).code).toBe(0);
  const { deployment } = JSON.parse(readFileSync(file, "utf8")) as { deployment: { resources: Record<string, unknown>[] } };
  return Object.fromEntries(
    deployment.resources.map(({ urn, id, inputs, outputs }): [string, unknown] => [String(urn), { id, inputs, outputs }]),
  );
}

interface Everything {
  pids: unknown;
  /** sha256 by path. */
  files: Record<string, string>;
  databases: unknown;
}

/** All that an update could change: processes, catalogs, the state database, files and the engine's state. */
async function everything(): Promise<Everything> {
  const { home } = stand.stack;
  const files = [...filesBelow(home), ...filesBelow(join(stand.folder, ".backout"))].filter(
    (file) => !file.startsWith(join(home, "postgres")) && !/\/processes\/.*\.(log|err|out)|\/locks\/|standby\.log$/.test(file),
  );
  const hashes = Object.fromEntries(files.sort().map((file) => [file, createHash("sha256").update(readFileSync(file)).digest("hex")]));
  const up = stand.pids().server !== null;
  return { pids: stand.pids(), files: hashes, databases: up ? await catalogs() : null };
}

async function catalogs(): Promise<Record<string, unknown>> {
  const databases = await stand.sql<{ name: string }>(
    "SELECT oid, datname AS name, datdba, datallowconn, datconnlimit, datacl FROM pg_database ORDER BY oid",
    [],
    "postgres",
  );
  const objects = await stand.sql(
    "SELECT oid, relname, relkind, relowner, relacl, relfilenode FROM pg_class WHERE oid >= 16384 ORDER BY oid",
  );
  const rows = await stand.sql("SELECT md5(string_agg(t::text, '|' ORDER BY id)) AS content, count(*) AS rows FROM pfa_records t");
  const control = await stand.state(async ({ client }) => {
    const tables: Record<string, unknown> = {};
    for (const table of ["rollouts", "journal", "databases", "snapshots", "exports", "holder"])
      tables[table] = (
        await client.query(`SELECT md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) AS content FROM ${table} t`)
      ).rows;
    return tables;
  });
  return { databases, objects, rows, control };
}
