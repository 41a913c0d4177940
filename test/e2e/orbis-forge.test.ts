/** OrbisForge through the real engine: a selective repair, a full restore, and a rollback whose verification fails and is gone on with. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openState } from "../../databases/open-state.ts";
import { editPins, type PinEdit } from "../../config/edit.ts";
import { liveFile, secretOf, type Site } from "../../config/site.ts";
import { makeEphemeralStack, type EphemeralStack } from "../../drill/ephemeral-stack.ts";
import { removeDrill } from "../../drill/remove.ts";
import { runVerb } from "../../drill/verbs.ts";
import { manifestDifferences, type Manifest } from "../../state/evidence-folder.ts";
import { hashFolder } from "../../processes/artefact.ts";
import type { RolloutOutcome } from "../../scripts/pulumi/roll-out.ts";
import { ensureEngine } from "../../scripts/pulumi/engine.ts";
import { openStack, stackFile } from "../../scripts/pulumi/stack.ts";
import { login, request } from "../../systems/orbis-forge/api.ts";
import { seed } from "../../systems/orbis-forge/seed.ts";
import { PROJECT } from "./stand.ts";

let folder: string;
let stack: EphemeralStack;
let site: Site;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "backout-orbis-e2e-"));
  const engine = await ensureEngine();
  stack = await makeEphemeralStack({ project: PROJECT, stack: "orbis-forge", folder, name: "orbis", engine });
  site = { ...(await openStack(stackFile("orbis", folder))).site, home: stack.home };
});
afterAll(async () => {
  if (folder === undefined) return;
  await removeDrill(folder);
  rmSync(folder, { recursive: true, force: true });
});

function inFile<T>(work: (database: DatabaseSync) => T): T {
  const database = new DatabaseSync(liveFile(site, "production"), { timeout: 5000 });
  try {
    return work(database);
  } finally {
    database.close();
  }
}

const all = (sql: string) =>
  inFile((database) =>
    database
      .prepare(sql)
      .all()
      .map((row) => ({ ...row })),
  );
const access = () => ({ url: () => `http://127.0.0.1:${site.ports["app"]}`, fetch, secret: (name: string) => secretOf(site, name) });

async function verb(name: string, ...wish: string[]): Promise<RolloutOutcome> {
  const { json, failure } = await runVerb<RolloutOutcome>(stack, name, wish);
  if (json === null) throw new Error(failure ?? `${name} says nothing`);
  return json;
}

const deploy = (release: string) => verb("deploy", release, "--yes", "--reason", "test");
const rollback = (...wish: string[]) =>
  verb("rollback", "--to", "v2.4.0", "--yes", "--no-block", "--incident", "INCIDENT-7", "--reason", `it's "broken"`, ...wish);

const LEVELS = [
  { user_id: "admin", access_level: "admin", original_access_level: null },
  { user_id: "emergency_admin", access_level: "admin", original_access_level: null },
  { user_id: "test-user", access_level: "write", original_access_level: null },
  { user_id: "reader", access_level: "read_only", original_access_level: null },
];
const levels = () => all("SELECT user_id, access_level, original_access_level FROM user_permissions ORDER BY id");
const steps = () => all("SELECT id, percent FROM step_progress ORDER BY id");
const entries = () => all("SELECT success, details FROM governance_logs WHERE event_type = 'emergency_rollback' ORDER BY id");

interface Build {
  path: string;
  sha256: string;
}

/** Puts another build of v2.4.0 into the ledger; resolves with the one that stood there. */
async function declareGoal(build: Build): Promise<Build> {
  const before = (await openStack(stackFile("orbis", folder))).config.releases["v2.4.0"]!.services["app"]!;
  const edits = Object.entries(build).map(([key, value]): PinEdit => ({ path: ["releases", "v2.4.0", "services", "app", key], value }));
  writeFileSync(stack.file, editPins(readFileSync(stack.file, "utf8"), edits));
  return { path: before.path!, sha256: before.sha256! };
}

async function wrongBuild(): Promise<Build> {
  const path = join(folder, "wrong-build");
  const releases = join(PROJECT, "systems", "orbis-forge");
  const main = readFileSync(join(releases, "releases", "v2.4.0", "app", "main.ts"), "utf8");
  mkdirSync(path, { recursive: true });
  writeFileSync(
    join(path, "main.ts"),
    main.replaceAll("../../../program", join(releases, "program")).replace('"Projects"', '"Projects", "Inline editing"'),
  );
  return { path, sha256: await hashFolder(path) };
}

async function journal(epoch: number | null) {
  const { definition } = await openStack(stackFile("orbis", folder));
  const state = await openState(site, definition);
  try {
    return (await state?.journal(epoch ?? 0)) ?? [];
  } finally {
    await state?.end();
  }
}

test("bad rows alone come back from the snapshot, with evidence, an entry and permissions as they were", { timeout: 300_000 }, async () => {
  expect(await deploy("v2.4.0")).toMatchObject({ ok: true });
  await inFile((database) => seed({ sqlite: () => database, database: () => Promise.reject(new Error("none")) }, 200));
  const before = steps();
  expect(await deploy("phase-3.0.0")).toMatchObject({ ok: true });
  const exported = readdirSync(join(stack.home, "records"), { recursive: true, encoding: "utf8" });
  expect(exported.some((file) => file.endsWith("pre_deployment_export.json"))).toBe(true);
  inFile((database) => database.exec("UPDATE step_progress SET percent = 900 WHERE id IN (2, 5)"));

  const outcome = await rollback("--scope", "selective", "--with", "rows=step_progress/2,step_progress/5");
  expect(outcome.failure).toBeNull();
  expect(outcome.checks.filter(({ status }) => status === "failed")).toEqual([]);
  expect(outcome.completion).toMatchObject({ status: "SUCCESS" });
  expect(steps()).toEqual(before);
  expect(levels()).toEqual(LEVELS);
  const done = (await journal(outcome.epoch)).filter(({ status }) => status === "finished").map(({ step }) => step);
  const order = [
    "protection user-permissions",
    "stop and confirm stopped",
    "lift user-permissions",
    "before-rows of production",
    "repair production by rows",
    "give back user-permissions",
  ];
  expect(done.filter((step) => order.includes(step)).filter((step, index, steps_) => steps_.indexOf(step) === index)).toEqual(order);

  expect(await manifestDifferences(outcome.evidence!)).toEqual([]);
  const { anchor, captures, success, files } = JSON.parse(readFileSync(join(outcome.evidence!, "manifest.json"), "utf8")) as Manifest;
  expect(captures.filter(({ missing }) => missing !== null)).toEqual([]);
  expect(success).toBe(true);
  expect(anchor).toMatch(/^of-bev-phase3-rollback-\d{8}_\d{6}$/);
  const stamp = anchor.slice(-15);
  for (const name of [
    `rollback_health_${stamp}.json`,
    `emergency_backup_${stamp}.db`,
    `emergency_export_${stamp}.json`,
    "anchor_metadata.json",
  ])
    expect(files.map(({ file }) => file)).toContain(name);
  expect(existsSync(join(stack.home, "DriveMemory/OrbisForge/BackEndVisibility/Production/Rollbacks", anchor, "manifest.json"))).toBe(true);
  const [entry] = entries();
  expect(entry).toMatchObject({ success: 1 });
  expect(JSON.parse(String(entry?.["details"]))).toMatchObject({
    rollback_method: "selective_rollback",
    rollback_reason: `INCIDENT-7: it's "broken"`,
  });
  expect(readFileSync(join(stack.home, "logs/governance.jsonl"), "utf8").trim().split("\n")).toHaveLength(1);
  const token = await login(access(), "admin");
  expect((await request(access(), token, "/api/json-operations/export")).status).toBe(404);
});

test("a full restore keeps governance entries and permissions, and a failed one goes on where it was", { timeout: 300_000 }, async () => {
  expect(await deploy("phase-3.0.0")).toMatchObject({ ok: true });
  const before = steps();
  const token = await login(access());
  const made = await request(access(), token, "/api/projects", { method: "POST", body: { code: "SINCE-1", name: "written since" } });
  expect(made.status).toBe(200);
  inFile((database) =>
    database.exec("DELETE FROM step_progress WHERE id % 2 = 0; UPDATE user_permissions SET access_level = 'none' WHERE user_id = 'reader'"),
  );
  const logged = all("SELECT count(*) AS n FROM governance_logs")[0]!["n"] as number;
  // A build of the goal that still shows what Phase 3 brought: verification must see it.
  const sound = await declareGoal(await wrongBuild());
  const failed = await rollback("--scope", "full");
  expect(failed.failure).toMatch(/no-phase-3/);
  expect(failed.completion).toMatchObject({ status: "FAILED" });
  expect(JSON.parse(readFileSync(join(failed.evidence!, "manifest.json"), "utf8"))).toMatchObject({ success: false });
  expect((await fetch(`${access().url()}/health`)).status).toBe(503);
  expect(levels().filter(({ access_level: level }) => level === "read_only")).toHaveLength(2);

  await declareGoal(sound);
  const outcome = await rollback("--scope", "full");
  expect(outcome.failure).toBeNull();
  expect(outcome.completion).toMatchObject({ status: "PARTIAL SUCCESS" });
  expect(steps()).toEqual(before);
  expect(levels()).toEqual(LEVELS);
  expect(all("SELECT count(*) AS n FROM projects WHERE code = 'SINCE-1'")).toEqual([{ n: 0 }]);
  // Everything that was on record is on record again, and the two entries of this rollback besides.
  expect(all("SELECT count(*) AS n FROM governance_logs WHERE event_type <> 'emergency_rollback'")[0]!["n"]).toBe(logged - 1);
  expect(entries().map(({ success }) => success)).toEqual([1, 0, 1]);
});
