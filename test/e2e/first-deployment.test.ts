/** A first deployment that fails half-way: there is nothing to go back to, so what was started must still be known to the stack. */
import { existsSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { stepPoint } from "../../processes/failpoints.ts";
import { serverHome } from "../../config/site.ts";
import type { DeployOutcome } from "../../scripts/pulumi/answers.ts";
import { isRunning } from "../../processes/identity.ts";
import { ledgerEntry, makeRelease } from "./releases.ts";
import { makeStand, succeeded, until, type Stand } from "./stand.ts";

const BASE_MIGRATION = "20250915000002_forecast_window";
const NOBODY = { server: null, gate: null, backend: null, worker: null };

let stand: Stand;
beforeAll(async () => {
  stand = await makeStand();
  const folder = makeRelease(stand.folder, {
    from: "v3.0.0",
    version: "v3.0.1",
    alter: (service, text) => (service === "worker" ? `throw new Error("defect of this build");\n${text}` : text),
  });
  stand.pin([await ledgerEntry(folder, "v3.0.1", BASE_MIGRATION)]);
});
afterAll(() => stand?.destroy());

function expectHalf(): void {
  expect(stand.gate()?.mode).toBe("closed");
  // What was started before the one that failed runs.
  expect(stand.pids()).toEqual({
    server: expect.any(Number) as number,
    gate: expect.any(Number) as number,
    backend: expect.any(Number) as number,
    worker: null,
  });
}

test("before it, verbs say that nothing is deployed and make nothing", async () => {
  for (const verb of ["verify", "watch"]) {
    const { code, json } = await stand.verb<{ error: { message: string } }>(verb);
    expect([verb, code]).toEqual([verb, 3]);
    expect(json.error.message).toMatch(/^e2e is not deployed yet/);
  }
  expect(await stand.verb("history")).toMatchObject({ code: 0, json: { rollouts: [] } });
  expect(await stand.verb("status")).toMatchObject({ code: 0, json: { reason: "not deployed yet", rollout: null } });
  expect(stand.pids()).toEqual(NOBODY);
  expect(existsSync(serverHome(stand.site))).toBe(false);
});

test("`destroy` ends what such a deployment started", async () => {
  const { code, output } = await stand.up([{ path: ["release"], value: "v3.0.1" }]);
  expect(code).not.toBe(0);
  expect(output).toContain("defect of this build");
  expect(output).toMatch(/The gate stays closed/);
  expectHalf();
  succeeded(await stand.pulumi(["destroy", "--yes"]));
  expect(stand.pids()).toEqual(NOBODY);
  expect(existsSync(serverHome(stand.site))).toBe(false);
});

test.each(["provider", "cli"] as const)("`destroy` ends what one started whose %s was killed half-way", async (victim) => {
  const { provider } = await stand.interrupt(stepPoint("start", "worker v3.0.1", "before"), victim);
  await until("the provider is gone", () => !isRunning(provider));
  expect(stand.pids().backend).not.toBeNull();
  stand.removeStaleLocks();
  succeeded(await stand.pulumi(["destroy", "--yes"]));
  expect(stand.pids()).toEqual(NOBODY);
  expect(existsSync(serverHome(stand.site))).toBe(false);
});

test("a pin that works brings it up, and the next update finds nothing to do", async () => {
  const { code, json, stderr } = await stand.verb<DeployOutcome>("deploy", "v3.0.1", "--yes");
  expect(code, stderr).toBe(1);
  expect(json).toMatchObject({ ok: false, refused: false, from: null, rolledBack: null });
  expect(json.failure).toMatch(/^start: worker v3\.0\.1 failed: [^]*defect of this build[^]*The gate stays closed/);
  expect(json.failure).toMatch(/it is the first deployment, so there is no release to go back to/);
  expectHalf();
  // The same again is tried again, not called unchanged.
  const same = await stand.up();
  expect(same.code).not.toBe(0);
  expect(same.output).toContain("defect of this build");
  const { output } = await stand.preview([{ path: ["release"], value: "v3.0.0" }]);
  expect(output).toMatch(/backout:index:Start: \(update\)/);
  await stand.upWell();
  expect(await stand.version()).toBe("v3.0.0");
  expect(await stand.frontendVersion()).toBe("v3.0.0");
  expect(stand.gate()?.mode).toBe("open");
  expect(stand.pids().worker).not.toBeNull();
  const again = await stand.upWell();
  expect(Object.keys(again.counts)).toEqual(["unchanged"]);
});
