/** Verification judges what its attempt caused: on a real server, with others at work, and with a cause that goes away. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { endpointOf, servicesRole } from "../../config/site.ts";
import { connect } from "../../databases/postgres/connection.ts";
import type { RolloutOutcome } from "../../scripts/pulumi/roll-out.ts";
import { makeStand, PINS, type Stand } from "./stand.ts";

let stand: Stand;
beforeAll(async () => {
  stand = await makeStand({ edits: [{ path: ["standby"], value: "never" }] });
  await stand.upWell();
  await stand.insertWell("J-1", "J-2");
  await stand.upWell([...PINS.forward, { path: ["standby"], value: "never" }]);
});
afterAll(() => stand?.destroy());

test("a batch role adds rows while a rollback leaves the data open: more rows fail nothing", async () => {
  const batch = await connect(endpointOf(stand.site), stand.live);
  let added = 0;
  const timer = setInterval(() => {
    void batch
      .query("INSERT INTO pfa_records (pfa_id, organization_id, category, description) VALUES ($1, 'org-rio', 'Equipment', 'batch')", [
        `BATCH-${++added}`,
      ])
      .catch(() => undefined);
  }, 200);
  try {
    const { code, json, stderr } = await stand.verb<RolloutOutcome>("rollback", "--scope", "quick", "--yes");
    expect(code, stderr).toBe(0);
    expect(json.checks.find(({ name }) => name === "count")).toMatchObject({
      status: "passed",
      detail: expect.stringMatching(/the data was not closed to others/) as string,
    });
    expect(added).toBeGreaterThan(0);
  } finally {
    clearInterval(timer);
    await batch.end();
  }
});

test("services that could not connect fill their logs and fail the update; once they can, the command that was advised opens", async () => {
  const role = servicesRole(stand.site);
  const limit = (connections: number) => stand.sql(`ALTER ROLE ${role} CONNECTION LIMIT ${connections}`, [], "postgres");
  await limit(0);
  // With a flag: it is written into the data again, where the services have been let in.
  const failed = await stand.up([...PINS.forward, { path: ["flags"], value: { bi_directional_sync: false } }]);
  expect(failed.code).not.toBe(0);
  expect(failed.output).toMatch(/The gate stays closed/);
  await limit(-1);
  await stand.upWell();
  expect(stand.gate()?.mode).toBe("open");
  expect(await stand.version()).toBe("v4.0.0");
});
