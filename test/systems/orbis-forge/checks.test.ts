/** Every check passes on a sound system and turns red when what it looks for is broken. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { giveBack, restrict } from "../../../rollout/protections.ts";
import { originalsOf } from "../../../rollout/originals.ts";
import { withFileChecks } from "../../../config/checks/load.ts";
import type { DrillContext } from "../../../config/system/drill.ts";
import { definition as orbisForge } from "../../../systems/orbis-forge/definition.ts";
import { seed } from "../../../systems/orbis-forge/seed.ts";
import { keeping } from "../../rollout/memory.ts";
import type { Program } from "../stand.ts";
import { baselineOf, checkContext, makeStand, NEW, OLD, runCheck, type File, type Stand } from "./stand.ts";

let stand: Stand;
let file: File;
let program: Program;
beforeAll(async () => {
  stand = makeStand();
  file = stand.makeFile("live", OLD);
  await seed(file.access, 120);
  program = await stand.start(OLD, file);
});
afterAll(() => stand?.remove());

const context = (change = {}) => checkContext(program, file, { baseline: baselineOf(file), ...change });

/** Breaks something, looks, and mends it. */
async function broken(id: string, harm: string, mend: string, change = {}) {
  const before = context(change);
  file.database.exec(harm);
  try {
    return await runCheck(id, before);
  } finally {
    file.database.exec(mend);
  }
}

test("a sound system passes every one of them", async () => {
  for (const { id } of withFileChecks(orbisForge).checks) expect(await runCheck(id, context()), id).toMatchObject({ status: "passed" });
  expect(await runCheck("integrity", context())).toMatchObject({ detail: "integrity_check ok, quick_check ok" });
  expect(await runCheck("schema-compatible", context())).toMatchObject({ detail: "6 tables with every column that is needed" });
});

test("the drill's probe of damaged data tells phases and steps", async () => {
  const probe = async () => orbisForge.drill.faults["data-corruption"]!.probe(context() as unknown as DrillContext);
  expect(await probe()).toBeNull();
  file.database.exec("BEGIN; UPDATE phases SET position = -1 WHERE id = 1; UPDATE step_progress SET percent = 900 WHERE id IN (1, 2)");
  const told = await probe();
  file.database.exec("ROLLBACK");
  expect(told).toBe("1 phases lost, 2 steps with an impossible progress");
});

describe("what is broken is seen", () => {
  test("one row too few, by the table's name", async () => {
    const { status, detail } = await broken(
      "counts",
      "CREATE TEMP TABLE kept AS SELECT * FROM step_progress WHERE id = 1; DELETE FROM step_progress WHERE id = 1",
      "INSERT INTO step_progress SELECT * FROM kept; DROP TABLE kept",
    );
    expect(status).toBe("failed");
    expect(detail).toMatch(/projects \d+ of \d+ MATCH.*step_progress \d+ of \d+ MISMATCH/);
  });

  test("governance entries are counted and not compared", async () => {
    const harm = "INSERT INTO governance_logs (timestamp, event_type, user_id, action, success) VALUES ('t', 'x', 'x', 'x', 1)";
    const { status, detail } = await broken("counts", harm, "DELETE FROM governance_logs WHERE event_type = 'x'");
    expect(status).toBe("passed");
    expect(detail).toMatch(/governance_logs \d+ \(before: \d+, not compared\)/);
  });

  test("a row without its parent", async () => {
    const result = await broken(
      "foreign-keys",
      "PRAGMA foreign_keys = OFF; UPDATE phases SET project_id = -1 WHERE id = 1; PRAGMA foreign_keys = ON",
      "UPDATE phases SET project_id = 1 WHERE id = 1",
    );
    expect(result).toMatchObject({ status: "failed", detail: expect.stringContaining("row 1 of phases") as string });
  });

  test("a column the release needs", async () => {
    const rename = (from: string, to: string): string => `ALTER TABLE projects RENAME COLUMN ${from} TO ${to}`;
    const result = await broken("schema-compatible", rename("status", "state"), rename("state", "status"));
    expect(result).toMatchObject({ status: "failed", detail: expect.stringContaining("projects.status") as string });
  });

  test("an impossible progress, in the smoke test", async () => {
    const result = await broken(
      "smoke",
      "UPDATE step_progress SET percent = percent + 1000 WHERE phase_id = 1",
      "UPDATE step_progress SET percent = percent - 1000 WHERE phase_id = 1",
    );
    expect(result.status).toBe("failed");
  });

  test("permissions of nobody who may administrate", async () => {
    const result = await broken(
      "permissions",
      "UPDATE user_permissions SET role = 'viewer' WHERE role IN ('superuser', 'emergency_admin')",
      "UPDATE user_permissions SET role = 'superuser' WHERE user_id = 'admin'; UPDATE user_permissions SET role = 'emergency_admin' WHERE user_id = 'emergency_admin'",
    );
    expect(result.status).toBe("failed");
  });

  test("maintenance that is still declared", async () => {
    const maintenance = { mode: "full", message: "" } as const;
    expect(await runCheck("maintenance-off", context({ maintenance }))).toMatchObject({ status: "failed" });
    expect(await runCheck("maintenance-off", context({ maintenance, scope: "full" }))).toMatchObject({ status: "failed" });
    // Pinned by somebody who means it, outside a procedure.
    expect(await runCheck("maintenance-off", context({ maintenance, scope: null }))).toMatchObject({ status: "skipped" });
  });

  test("another release than pinned", async () => {
    expect(await runCheck("health", context({ releases: { app: NEW } }))).toMatchObject({ status: "failed" });
  });

  test("a system that does not answer", async () => {
    for (const id of ["health", "login", "authorisation", "features", "no-phase-3", "smoke", "stable-load"])
      expect(await runCheck(id, context({ url: () => "http://127.0.0.1:9" })), id).toMatchObject({ status: "failed" });
  });
});

describe("Phase 3", () => {
  test("that is visible although v2.4.0 is pinned", async () => {
    const newer = stand.makeFile("newer", NEW);
    await seed(newer.access, 40);
    const visible = await stand.start(NEW, newer);
    const result = await runCheck("no-phase-3", checkContext(visible, newer, { releases: { app: OLD } }));
    expect(result).toMatchObject({ status: "failed", detail: expect.stringMatching(/inline edit/i) as string });
    // Pinned as it is, there is nothing to look for.
    expect(await runCheck("no-phase-3", checkContext(visible, newer))).toMatchObject({ status: "skipped" });
  });
});

describe("permissions while users are kept out", () => {
  const [protection] = orbisForge.protections!;
  const levels = () => file.session.all("SELECT user_id, access_level, original_access_level FROM user_permissions ORDER BY id");

  test("restricted with every original kept, and afterwards exactly as they were: nobody's level is lost", async () => {
    const kept = keeping();
    const look = async () =>
      runCheck("permissions", context({ protections: { [protection!.id]: await originalsOf(kept, protection!.id) } }));
    const before = await levels();
    await restrict(file.session, kept, protection!);
    await restrict(file.session, kept, protection!);
    expect(await levels()).toEqual([
      { user_id: "admin", access_level: "admin", original_access_level: null },
      { user_id: "emergency_admin", access_level: "admin", original_access_level: null },
      { user_id: "test-user", access_level: "read_only", original_access_level: "write" },
      { user_id: "reader", access_level: "read_only", original_access_level: "read_only" },
    ]);
    expect(await look()).toMatchObject({ status: "passed" });
    // A restore that lifted the restriction is seen.
    file.database.exec("UPDATE user_permissions SET access_level = 'write' WHERE user_id = 'test-user'");
    expect(await look()).toMatchObject({ status: "failed", detail: expect.stringContaining("test-user is not restricted") as string });
    file.database.exec("UPDATE user_permissions SET access_level = 'read_only' WHERE user_id = 'test-user'");
    await giveBack(file.session, kept, protection!);
    expect(await levels()).toEqual(before);
    expect(await look()).toMatchObject({ status: "passed" });
    file.database.exec("UPDATE user_permissions SET access_level = 'read_only' WHERE user_id = 'test-user'");
    expect(await look()).toMatchObject({ status: "failed", detail: expect.stringContaining("had write") as string });
    file.database.exec("UPDATE user_permissions SET access_level = 'write' WHERE user_id = 'test-user'");
  });
});
