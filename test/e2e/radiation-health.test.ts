/** Radiation Health Monitoring: the list before a deployment, and each procedure as pins, on the real engine with all five services. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import type { ListedItem } from "../../rollout/preflight/list.ts";
import { currentConfigurationFile } from "../../state/configuration.ts";
import { brokenLinks } from "../../state/audit-log.ts";
import type { RolloutOutcome } from "../../scripts/pulumi/roll-out.ts";
import type { DeployOutcome } from "../../scripts/pulumi/answers.ts";
import { definition as radiationHealth } from "../../systems/radiation-health/definition.ts";
import { filesBelow, makeStand, type Stand } from "./stand.ts";

const NAMES = Object.keys(radiationHealth.services);
const TAG = "pre-deployment-20251121-0930";
/** Shows whether somebody who was connected was cut off. */
const UNTOUCHED = "csv-polling-service";

let stand: Stand;
beforeAll(async () => {
  stand = await makeStand({
    system: "radiation-health",
    release: "v1.8.0",
    edits: [{ path: ["releases", "v1.8.0", "tag"], value: undefined }],
  });
  await stand.upWell();
  await stand.sql("INSERT INTO devices (serial, title, zone) VALUES ('D-1', 'Dosimeter', 'controlled')");
  await stand.sql("INSERT INTO radiation_personnel (employee_number, full_name) VALUES ('E-1', 'Before')");
  await reading(100);
});
afterAll(() => stand?.destroy());

const reading = (usv: number) =>
  stand.sql(
    `INSERT INTO dose_readings (employee_number, device_serial, raw_usv, dose_msv, measured_at)
     VALUES ('E-1', 'D-1', $1::int, $1::numeric / 1000, now())`,
    [usv],
  );
const readings = async (): Promise<number[]> =>
  (await stand.sql<{ usv: number }>("SELECT raw_usv AS usv FROM dose_readings ORDER BY id")).map(({ usv }) => usv);

const pids = (): Record<string, number | null> => Object.fromEntries(NAMES.map((name) => [name, stand.observe(name).pid]));
/** Which services are other processes than before, in the definition's order. */
const restarted = (before: Record<string, number | null>): string[] => {
  const now = pids();
  expect(Object.values(now)).not.toContain(null);
  return NAMES.filter((name) => now[name] !== before[name]);
};
const environmentOf = (name: string): string[] => readFileSync(`/proc/${stand.observe(name).pid}/environ`, "utf8").split("\0");
const health = async () =>
  (await (await stand.ask("/api/health", {}, "radiation-monitoring")).json()) as { version: string; station: string };

const rollback = async (scope: string, ...more: string[]): Promise<RolloutOutcome> => {
  const { code, json, stderr } = await stand.verb<RolloutOutcome>(
    "rollback",
    "--scope",
    scope,
    "--yes",
    "--incident",
    "INC-5",
    "--no-block",
    ...more,
  );
  expect(code, stderr).toBe(0);
  expect(json.scope).toBe(scope);
  expect(json.checks.filter(({ status }) => status === "failed")).toEqual([]);
  expect(json.checks.find(({ name }) => name === "alert-chain")?.status).toBe("passed");
  return json;
};

/** Takes the last rollback back. */
async function undo(): Promise<void> {
  const { code, stderr } = await stand.verb("undo", "--yes");
  expect(code, stderr).toBe(0);
}

/** A drill that passed, as its report stands in the reports folder. */
function passedDrill(endedAt: number): void {
  const folder = join(stand.folder, "reports", `drill-${endedAt}`);
  mkdirSync(folder, { recursive: true });
  const times = { seconds: 1, cutOverMs: null, unavailableMs: null, rowsAtRisk: {}, rowsLost: 0, exported: [] };
  const report = {
    runId: `drill-${endedAt}`,
    system: "radiation-health",
    target: "process",
    scope: "emergency",
    fault: null,
    faultSeen: null,
    verdict: "passed",
    seconds: 0,
    phases: [],
    rollback: { from: "v1.9.0", to: "v1.8.0", data: "before-v1.9.0@1", ...times },
    checks: [{ name: "health", status: "passed", detail: "" }],
    report: "",
    startedAt: new Date(endedAt).toISOString(),
  };
  writeFileSync(join(folder, "report.json"), JSON.stringify(report));
}

describe("before a deployment", () => {
  const deploy = (...more: string[]) =>
    stand.verb<DeployOutcome & { error?: { name: string; message: string } }>("deploy", "v1.9.0", "--yes", ...more);
  const statuses = (list: readonly ListedItem[]) => Object.fromEntries(list.map(({ id, status }) => [id, status]));

  test("what is missing is listed with how to get it, and nothing was touched", async () => {
    const before = pids();
    const text = stand.text();
    passedDrill(Date.now() - 25 * 3_600_000);
    const { code, json } = await deploy();
    expect(code).toBe(3);
    expect(statuses(json.before)).toEqual({
      backup: "pending",
      tag: "missing",
      configuration: "done",
      "trial-rollback": "missing",
      notification: "done",
    });
    expect(json.error?.name).toBe("ListIncompleteError");
    expect(json.error?.message).toMatch(/2 of 5 .*--tag pre-deployment-.*too old: drill-\d+, 25\.0 hours ago.*--trial/s);
    expect([restarted(before), stand.text() === text, (await stand.last())?.epoch]).toEqual([[], true, 1]);
  });

  test("leaving out needs a reason, and something that is on the list", async () => {
    expect(await deploy("--skip", "tag")).toMatchObject({
      code: 2,
      json: { error: { message: expect.stringContaining("--reason") as string } },
    });
    expect(await deploy("--skip", "trail-rollback", "--reason", "x")).toMatchObject({
      code: 2,
      json: { error: { message: expect.stringContaining("did you mean `trial-rollback`") as string } },
    });
  });

  test("with tag and a trial of the last day it goes on; the backup is done when its copy is verified; all of it is recorded", async () => {
    passedDrill(Date.now() - 3_600_000);
    const { code, json, stderr } = await deploy("--tag", TAG, "--reason", "CHANGE-3");
    expect(code, stderr).toBe(0);
    expect(new Set(Object.values(statuses(json.before)))).toEqual(new Set(["done"]));
    expect(json.before.find(({ id }) => id === "backup")?.detail).toMatch(/before-v1\.9\.0@1 of radiation_health/);
    expect(json.before.find(({ id }) => id === "tag")?.detail).toMatch(
      new RegExp(`v1\\.8\\.0 is ${TAG}: radiation-monitoring [0-9a-f]{12}…`),
    );
    expect(stand.text()).toMatch(new RegExp(`v1\\.8\\.0:\\n +schema:[^]*?tag: ${TAG}\\n`));
    expect(await health()).toMatchObject({ version: "v1.9.0" });
    const log = join(stand.site.home, "records", "governance.jsonl");
    expect(brokenLinks(log)).toEqual([]);
    expect(readFileSync(log, "utf8")).toMatch(/"event":"before-deployment".*"reason":"CHANGE-3".*is about to be deployed \(CHANGE-3\)/);
    const kept = JSON.parse(readFileSync(currentConfigurationFile(stand.site, json.runId), "utf8")) as { release: string };
    expect(kept.release).toBe("v1.8.0");
  });
});

describe("configuration goes back as the ledger recorded it", () => {
  const OVERRIDES: Record<string, [string, string]> = {
    "radiation-monitoring": ["DB_POOL_MAX", "3"],
    "websocket-service": ["STATION", "elsewhere"],
    "anomaly-detection-service": ["MUTED_DEVICES", "D-1"],
  };

  beforeAll(async () => {
    await stand.upWell(Object.entries(OVERRIDES).map(([name, [key, value]]) => ({ path: ["services", name, "config", key], value })));
  });
  const inForce = (): string[] =>
    NAMES.filter((name) => OVERRIDES[name] !== undefined && environmentOf(name).includes(OVERRIDES[name].join("=")));

  test("monitoring: retention and anomaly detection start anew, and nothing else; users are not kept out", async () => {
    expect(inForce()).toEqual(NAMES.filter((name) => name in OVERRIDES));
    const before = pids();
    const { runId } = await rollback("monitoring-config");
    expect(restarted(before)).toEqual(["data-retention-service", "anomaly-detection-service"]);
    expect(inForce()).toEqual(["radiation-monitoring", "websocket-service"]);
    const kept = JSON.parse(readFileSync(currentConfigurationFile(stand.site, runId), "utf8")) as {
      services: Record<string, { config: Record<string, string>; sha256: string }>;
    };
    expect(kept.services["anomaly-detection-service"]).toMatchObject({
      config: { MUTED_DEVICES: "D-1" },
      sha256: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
    });
  });

  test("database: the API starts anew, and nothing else", async () => {
    const before = pids();
    await rollback("database-config");
    expect(restarted(before)).toEqual(["radiation-monitoring"]);
    expect(environmentOf("radiation-monitoring")).toContain("DB_POOL_MAX=8");
  });

  test("environment: all five start anew, in an environment that is really new", async () => {
    const before = pids();
    await rollback("environment-config");
    expect(restarted(before)).toEqual(NAMES);
    expect(inForce()).toEqual([]);
    expect(environmentOf("websocket-service")).toContain("STATION=main");
  });
});

describe("one service", () => {
  test("starts anew alone, again and again, and whoever listens to alerts stays connected", async () => {
    const listening = new WebSocket(`${stand.url("websocket-service").replace("http", "ws")}/ws`);
    await new Promise((resolve, reject) => listening.once("open", resolve).once("error", reject));
    for (const _ of [1, 2]) {
      const before = pids();
      await rollback("service", "--service", UNTOUCHED);
      expect(restarted(before)).toEqual([UNTOUCHED]);
      expect(stand.observe(UNTOUCHED).release).toBe("v1.9.0");
    }
    expect(listening.readyState).toBe(WebSocket.OPEN);
    listening.terminate();
  });

  test("goes back to the earlier release alone", async () => {
    const before = pids();
    await rollback("service-release", "--service", UNTOUCHED);
    expect(restarted(before)).toEqual([UNTOUCHED]);
    expect(stand.observe(UNTOUCHED).release).toBe("v1.8.0");
    expect(await health()).toMatchObject({ version: "v1.9.0" });
  });

  test("and is brought forward alone again by the undo, with the stack file as it was", async () => {
    const text = stand.text();
    await undo();
    expect(stand.observe(UNTOUCHED).release).toBe("v1.9.0");
    await rollback("service-release", "--service", UNTOUCHED);
    expect(stand.text()).toBe(text);
  });
});

test("the database alone: all five are stopped in order before it is touched and run again after, readings since are kept as files", async () => {
  await reading(4_000);
  expect(await readings()).toEqual([100, 4_000]);
  const before = pids();
  const { epoch, quarantine, exported } = await rollback("database");
  expect(restarted(before)).toEqual(NAMES);
  expect(await readings()).toEqual([100]);
  expect(await health()).toMatchObject({ version: "v1.9.0" });
  const journal = (await stand.journal(epoch!)).filter(({ status }) => status === "finished");
  const at = (step: RegExp): number => journal.findIndex((entry) => step.test(entry.step));
  const { stopped } = journal[at(/^stop and confirm/)]!.detail as { stopped: string[] };
  expect(stopped.map((line) => line.split(":")[0])).toEqual(radiationHealth.stopOrder);
  expect(at(/^stop and confirm/)).toBeLessThan(at(/^cut over/));
  expect(at(/^cut over/)).toBeLessThan(journal.findIndex(({ phase }) => phase === "start"));
  expect(await stand.inside(quarantine!, "SELECT 1 FROM dose_readings WHERE raw_usv = 4000")).toHaveLength(1);
  const file = exported.find(({ path }) => /dose_readings[^/]*\.jsonl$/.test(path))!;
  expect(readFileSync(file.path, "utf8")).toContain('"raw_usv":"4000"');
});

test("the schema alone: the new tables are gone, the table of before stands, and what was measured stays", async () => {
  await reading(300);
  await rollback("schema");
  expect(await readings()).toEqual([100, 300]);
  const { version } = await health();
  expect(version).toBe("v1.8.0");
  const [kinds] = await stand.sql(
    `SELECT to_regclass('threshold_profiles') AS profiles, to_regclass('dose_trends') AS trends,
       (SELECT relkind::text FROM pg_class WHERE oid = to_regclass('alert_thresholds')) AS thresholds`,
  );
  expect(kinds).toEqual({ profiles: null, trends: null, thresholds: "r" });
  expect(existsSync(join(stand.site.home, "records"))).toBe(true);
  expect(filesBelow(join(stand.site.home, "records")).some((path) => path.endsWith("configuration.current.json"))).toBe(true);
});

test("the undo of the schema: tables, release and data as before it, and the stack file but for the data", async () => {
  const tables = async (): Promise<string[]> =>
    (await stand.sql<{ name: string }>("SELECT relname AS name FROM pg_class WHERE relkind IN ('r', 'v') AND relname !~ '^(pg_|sql_)'"))
      .map(({ name }) => name)
      .sort();
  const [old, ofOld] = [stand.text(), await tables()];
  await undo();
  expect(await health()).toMatchObject({ version: "v1.9.0" });
  expect(await tables()).toEqual(expect.arrayContaining(["threshold_profiles", "dose_trends"]));
  expect(await readings()).toEqual([100, 300]);
  await rollback("schema", "--anew");
  expect(await tables()).toEqual(ofOld);
  expect(stand.text().replace(/backout:data: .*/, "")).toBe(old.replace(/backout:data: .*/, ""));
});
