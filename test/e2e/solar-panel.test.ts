/** Constraints dropped and brought back through the real engine: killed in the middle, violated, set aside, changed by hand; planted bugs. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { spawn } from "node:child_process";
import { afterAll, beforeAll, expect, test } from "vitest";
import { endpointOf, liveName, type Site } from "../../config/site.ts";
import { makeEphemeralStack, type EphemeralStack } from "../../drill/ephemeral-stack.ts";
import { runVerb, type VerbOutcome } from "../../drill/verbs.ts";
import { withSession } from "../../databases/postgres/connection.ts";
import { ensureEngine } from "../../scripts/pulumi/engine.ts";
import { cleanFileBackend } from "../../scripts/pulumi/file-backend.ts";
import { isRunning } from "../../processes/identity.ts";
import { runPulumi } from "../../scripts/pulumi/pulumi-run.ts";
import { openStack, stackFile } from "../../scripts/pulumi/stack.ts";
import { CONSTRAINTS } from "../../systems/solar-panel/constraints.ts";
import { definition as solarPanel } from "../../systems/solar-panel/definition.ts";
import { accessTo } from "../support/access.ts";
import { PROJECT, until } from "./stand.ts";

let folder: string;
let stack: EphemeralStack;
let site: Site;

beforeAll(async () => {
  const engine = await ensureEngine({ log: () => undefined });
  folder = await mkdtemp(join(tmpdir(), "backout-solar-"));
  await chmod(folder, 0o755);
  stack = await makeEphemeralStack({
    project: PROJECT,
    stack: "solar-panel",
    folder,
    name: "solar",
    engine,
    edits: [{ path: ["release"], value: "v2.0.0" }],
  });
  site = { ...(await openStack(stackFile(stack.stack, folder))).site, home: stack.home };
  expect((await verb("deploy", "v2.0.0", "--yes")).failure).toBeNull();
  await withSession(endpointOf(site), liveName(site, "solar"), (client) => solarPanel.drill.seed(accessTo(client), 100));
});
afterAll(async () => {
  await runPulumi({
    project: folder,
    stack: stack.stack,
    arguments: ["destroy", "--yes", "--skip-preview"],
    environment: stack.environment,
  });
  await rm(folder, { recursive: true, force: true });
});

interface Outcome {
  ok: boolean;
  failure: string | null;
  recovered: { name: string; how: string; quarantined: { table: string; into: string; rows: number }[] }[];
  rollout: { ok: boolean; failure: string | null } | null;
  readiness: {
    candidates: { name: string; offered: boolean; violations: { count: number; rows: string[] } | null }[];
    assessments: { title: string }[];
  };
  constraints: { name: string; declared: string; found: string; offered: boolean }[];
}

const verb = (name: string, ...parameters: string[]): Promise<VerbOutcome<Outcome>> => runVerb<Outcome>(stack, name, parameters);
/** Kills a verb, its engine and the provider, as soon as its pins are written and its update begins. */
async function killed(name: string, ...parameters: string[]): Promise<void> {
  const points = mkdtempSync(join(folder, "points-"));
  const script = join(PROJECT, "scripts", "backout.ts");
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", script, name, ...parameters, "--stack", stack.stack], {
    cwd: folder,
    env: { ...process.env, ...stack.environment, BACKOUT_FAILPOINT: "data.before", BACKOUT_FAILPOINT_FOLDER: points },
    stdio: "ignore",
  });
  const reached = join(points, "data.before.reached");
  await until("the update begins", () => existsSync(reached) && readFileSync(reached, "utf8") !== "", 60_000);
  const engines = readFileSync(`/proc/${child.pid!}/task/${child.pid!}/children`, "utf8").trim().split(" ").map(Number);
  const all = [child.pid!, ...engines, Number(readFileSync(reached, "utf8"))];
  for (const pid of all) process.kill(pid, "SIGKILL");
  await until("all of them are gone", () => !all.some(isRunning));
  rmSync(points, { recursive: true });
}
const sql = async (text: string): Promise<Record<string, unknown>[]> =>
  withSession(endpointOf(site), liveName(site, "solar"), async (client) => (await client.query<Record<string, unknown>>(text)).rows);
const column = async (text: string): Promise<unknown[]> => (await sql(text)).map((row) => Object.values(row)[0]);
const absent = (): Promise<unknown[]> =>
  column(
    `SELECT n FROM unnest('{${Object.keys(CONSTRAINTS).join(",")}}'::text[]) n WHERE NOT EXISTS (SELECT FROM pg_constraint WHERE conname = n) ORDER BY 1`,
  );
const text = (): string => readFileSync(stack.file, "utf8");

test("dropped one by one after a snapshot, killed in the middle: the next `up` converges, every drop on record once", async () => {
  const points = mkdtempSync(join(folder, "points-"));
  // What a person would write; the update is killed after the first drop was committed.
  const written = text().replace(
    /(  backout:violations:)/,
    "  backout:scope: critical\n  backout:constraints:\n    workflow_progression: dropped\n    station_progression: dropped\n$1",
  );
  writeFileSync(stack.file, written);
  const child = spawn("pulumi", ["up", "--yes", "--skip-preview", "--stack", stack.stack, "--non-interactive"], {
    cwd: folder,
    env: {
      ...process.env,
      ...stack.environment,
      PATH: `${join((await ensureEngine({ log: () => undefined })).pulumi, "..")}:${process.env["PATH"]}`,
      BACKOUT_FAILPOINT: "constraint.workflow_progression",
      BACKOUT_FAILPOINT_FOLDER: points,
    },
    stdio: "ignore",
  });
  const reached = join(points, "constraint.workflow_progression.reached");
  await until("one constraint is dropped", () => existsSync(reached) && readFileSync(reached, "utf8") !== "");
  process.kill(Number(readFileSync(reached, "utf8")), "SIGKILL");
  await new Promise((resolve) => child.once("close", resolve));
  rmSync(points, { recursive: true });
  cleanFileBackend(stack.environment["PULUMI_BACKEND_URL"], stack.stack, folder);
  const again = await runPulumi({
    project: folder,
    stack: stack.stack,
    arguments: ["up", "--yes", "--skip-preview"],
    environment: stack.environment,
  });
  expect(again.code, again.output).toBe(0);
  expect(await absent()).toEqual(["station_progression", "workflow_progression"]);
  expect(await sql("SELECT constraint_name, table_name, test_name, test_type, test_result FROM rollback_test_results ORDER BY id")).toEqual(
    ["workflow_progression", "station_progression"].map((constraint_name) => ({
      constraint_name,
      table_name: "panels",
      test_name: "Emergency Rollback - Critical Priority",
      test_type: "EMERGENCY",
      test_result: "PASS",
    })),
  );
  const names = await withSession(
    endpointOf(site),
    "postgres",
    async (client) => (await client.query<{ datname: string }>("SELECT datname FROM pg_database")).rows,
  );
  expect(names.map(({ datname }) => datname)).toContain("solar_before_drop_1_pristine");
});

test("recovery goes lowest risk first, stops at the first violation with its rows, sets them aside on request, and takes back what was done by hand", async () => {
  expect((await verb("constraint", "drop", "barcode_format", "email_format", "--yes")).failure).toBeNull();
  // By hand: drift, which the same recovery mends.
  await sql("ALTER TABLE stations DROP CONSTRAINT station_number");
  await sql("UPDATE panels SET barcode = 'X' WHERE id IN (3, 5)");
  const listed = (await verb("constraint", "list")).json!.constraints;
  expect(listed.filter(({ declared, found }) => declared !== found).map(({ name }) => name)).toEqual(["station_number"]);
  expect(listed.filter(({ offered }) => offered).map(({ name }) => name)).toEqual([
    "workflow_progression",
    "station_progression",
    "barcode_format",
    "email_format",
  ]);
  const { json: assessed, code } = await verb("recover", "--assess");
  expect(code).toBe(0);
  expect(assessed!.readiness.assessments.map(({ title }) => title)).toEqual(
    ["panels", "manufacturing_orders", "inspections"].map((table) => `test_data_integrity('${table}')`),
  );

  const stopped = await verb("recover", "--yes");
  expect(stopped.code).toBe(1);
  expect(stopped.json!.recovered.map(({ name }) => name)).toEqual(["email_format", "station_number"]);
  expect(stopped.json!.rollout!.failure).toMatch(/barcode_format cannot be enforced: panels has 2 rows: \{"id": 3\}, \{"id": 5\}/);
  expect(await absent()).toEqual(["barcode_format", "station_progression", "workflow_progression"]);

  // What is asked for once stands in the stack file while it is done; also after an interruption it does not stay there.
  await killed("recover", "--quarantine", "--yes");
  expect(text()).toMatch(/violations: quarantine$/m);
  const done = await verb("recover", "--quarantine", "--yes");
  expect(done.failure).toBeNull();
  expect(done.json!.recovered.map(({ name }) => name)).toEqual(["barcode_format", "workflow_progression", "station_progression"]);
  const { into } = done.json!.recovered[0]!.quarantined[0]!;
  expect(await column(`SELECT id FROM ${into} ORDER BY id`)).toEqual(["3", "5"]);
  expect(await absent()).toEqual([]);
  expect(await column("SELECT count(*)::int FROM pg_constraint WHERE NOT convalidated")).toEqual([0]);
  expect(text()).not.toMatch(/^ *backout:constraints:|violations: quarantine$/m);
  await expect(
    sql("INSERT INTO panels (serial_number, barcode, panel_type, line) VALUES ('BAD', 'X', '144', 'LINE_2')"),
  ).rejects.toMatchObject({
    constraint: "barcode_format",
  });
});

test("an unknown name is wrong usage; what stands in the way of a rollout that stops the line is refused before anything stops", async () => {
  expect(await verb("constraint", "drop", "barcode_fromat", "--yes")).toMatchObject({
    code: 2,
    failure: expect.stringContaining("did you mean `barcode_format`") as string,
  });
  expect((await verb("recover", "--constraint", "nothing", "--yes")).code).toBe(2);
  expect((await verb("constraint", "drop", "electrical_data", "--yes")).failure).toBeNull();
  await sql("UPDATE panels SET pmax = 1 WHERE id = 1");
  writeFileSync(stack.file, text().replace(/electrical_data: dropped/, "email_format: dropped"));
  const up = await runPulumi({
    project: folder,
    stack: stack.stack,
    arguments: ["up", "--yes", "--skip-preview"],
    environment: stack.environment,
  });
  expect(up.code).not.toBe(0);
  expect(up.output).toMatch(/constraints\.electrical_data is to be enforced, but panels has 1 row: \{"id": 1\}/);
  expect(await absent()).toEqual(["electrical_data"]);
});
