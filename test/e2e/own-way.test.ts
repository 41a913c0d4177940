/** From a stack file without a release to a deployment and back, by verbs that are given no more than they need. */
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Finding } from "../../scripts/doctor/finding.ts";
import type { DeployOutcome } from "../../scripts/pulumi/answers.ts";
import type { ReleaseAddOutcome } from "../../scripts/verbs/release-add.ts";
import type { RollbackOutcome } from "../../scripts/verbs/rollback.ts";
import { makeStand, PROJECT, until, type Stand } from "./stand.ts";

const RELEASES = join(PROJECT, "systems", "pfa-vanguard", "releases");
const BASE_MIGRATION = "20250915000002_forecast_window";

let stand: Stand;
beforeAll(async () => {
  stand = await makeStand();
  stand.pin([
    { path: ["releases"], value: undefined },
    { path: ["release"], value: undefined },
  ]);
});
afterAll(() => stand?.destroy());

interface Failed {
  error: { message: string };
}

async function failures(): Promise<Finding[]> {
  const { code, json, stderr } = await stand.verb<{ findings: Finding[] }>("doctor");
  const found = json.findings.filter(({ status }) => status === "failure");
  expect(code, stderr).toBe(found.length === 0 ? 0 : 1);
  return found;
}

const add = (release: string, ...more: string[]) =>
  stand.verb<ReleaseAddOutcome>("release", "add", release, join(RELEASES, release), ...more);
const list = async () => (await stand.verb<{ releases: Record<string, unknown>[] }>("release", "list")).json.releases;

test("doctor, release add, up: the first release is the pin", async () => {
  expect(await failures()).toEqual([]);
  const { code, json, stderr } = await add("v3.0.0", "--schema", BASE_MIGRATION);
  expect(code, stderr).toBe(0);
  expect(json.pinned).toBe(true);
  expect(json.next).toMatch(/ up --stack e2e$/);
  expect(await failures()).toEqual([]);
  await stand.upWell();
  expect(await stand.version()).toBe("v3.0.0");
  expect(await list()).toMatchObject([{ name: "v3.0.0", pinned: true, deployed: true, openedAt: expect.any(String) as string }]);
});

test("`deploy` deploys the newest release of the ledger, and is unchanged afterwards", async () => {
  expect((await stand.verb<Failed>("rollback", "--yes")).json.error.message).toMatch(/no release before v3\.0\.0 has opened/);
  expect((await add("v4.0.0")).code).toBe(0);
  const text = stand.text();
  expect((await stand.verb<Failed>("deploy")).json.error.message).toMatch(/run again with --yes; nothing was changed/);
  expect(stand.text()).toBe(text);
  const { code, json, stderr } = await stand.verb<DeployOutcome>("deploy", "--yes");
  expect(code, stderr).toBe(0);
  expect(json).toMatchObject({ ok: true, from: "v3.0.0", to: "v4.0.0" });
  expect(stderr).toMatch(/deploying v4\.0\.0: the newest release of the ledger; v3\.0\.0 runs/);
  expect(await stand.version()).toBe("v4.0.0");
  expect(await stand.verb("deploy", "--yes")).toMatchObject({ code: 0, json: { unchanged: true } });
  expect(await failures()).toEqual([]);
});

test("what runs and what a rollback goes back to stays in the ledger", async () => {
  stand.pin([{ path: ["releases", "v2.9.0"], value: { services: (await add("v4.0.0")).json.entry.services } }]);
  for (const release of ["v4.0.0", "v3.0.0"]) {
    const { code, json } = await stand.verb<Failed>("release", "remove", release);
    expect(code).toBe(3);
    expect(json.error.message).toMatch(/stays in the ledger/);
  }
  expect((await stand.verb("release", "remove", "v2.9.0")).code).toBe(0);
});

test("`rollback` goes to the release that opened before, leaves the data where that suffices, and says both", async () => {
  const { code, json, stderr } = await stand.verb<RollbackOutcome>("rollback", "--yes", "--incident", "INC-1");
  expect(code, stderr).toBe(0);
  expect(json).toMatchObject({ ok: true, from: "v4.0.0", to: "v3.0.0", scope: "quick" });
  expect(stderr).toMatch(/back to v3\.0\.0, which opened before v4\.0\.0/);
  expect(stderr).toMatch(/by scope quick, the smallest that suffices: v3\.0\.0 runs on the data as it is/);
  expect(await stand.verb("rollback", "--yes", "--incident", "INC-1")).toMatchObject({ code: 0, json: { unchanged: true } });
  // Until something else opens, an undo goes back to it.
  expect((await stand.verb<Failed>("release", "remove", "v4.0.0")).json.error.message).toMatch(/an undo goes back to it/);
  // The release that failed is passed over: the one that runs is the newest that may be deployed.
  const again = await stand.verb<DeployOutcome>("deploy", "--yes");
  expect(again.stderr).toMatch(/deploying v3\.0\.0: it runs.*not v4\.0\.0 \(blocked by INC-1\)/);
  expect((await list()).map(({ name, blocked }) => [name, blocked])).toEqual([
    ["v3.0.0", null],
    ["v4.0.0", "INC-1"],
  ]);
});

test("with the server down, doctor says that first", async () => {
  process.kill(stand.pids().server!, "SIGKILL");
  await until("the server is down", () => stand.pids().server === null);
  const { json } = await stand.verb<{ findings: Finding[] }>("doctor");
  expect(json.findings[0]).toMatchObject({ check: "server", status: "failure", detail: "the embedded PostgreSQL is down" });
  expect(json.findings[0]!.fix).toMatch(/ up --stack e2e$/);
  expect(stand.pids().server).toBeNull();
});
