import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { preflightList, ListIncompleteError, settled, type DeploymentFacts } from "../../../rollout/preflight/list.ts";
import { inspectDeployment } from "../../../rollout/preflight/inspect.ts";
import { siteOf } from "../../../config/site.ts";
import { tagEdits } from "../../../scripts/verbs/preflight.ts";
import type { OpenStack } from "../../../scripts/pulumi/stack.ts";
import { DEPLOYMENT_ITEMS, type DeploymentDefinition } from "../../../config/system/deployment.ts";
import type { PolicyDefinition } from "../../../config/system/policy.ts";
import { configOf, definition, pinsOf } from "../../config/sample.ts";

const HOUR_MS = 3_600_000;
const ALL: DeploymentDefinition = { before: [...DEPLOYMENT_ITEMS], trialWithinHours: 24 };
const FACTS: DeploymentFacts = {
  system: "shop",
  drill: "npx backout drill shop",
  from: "v1.0.0",
  to: "v1.1.0",
  verifies: true,
  tag: "pre-deployment-20251120-0900",
  artefacts: { api: "ab".repeat(32) },
  configuration: { path: "/kept/configuration.current.json", sha256: { api: "cd".repeat(32) } },
  trial: { runId: "drill-1", at: 0 },
  notification: "chat: v1.1.0 comes",
  now: 24 * HOUR_MS,
};
const statuses = (facts: Partial<DeploymentFacts>, skip = {}) =>
  Object.fromEntries(preflightList(ALL, { ...FACTS, ...facts }, skip).map(({ id, status }) => [id, status]));

describe("the list before a deployment", () => {
  test("with everything there only the backup is open, and that only until its copy is verified", () => {
    expect(statuses({})).toEqual({
      backup: "pending",
      tag: "done",
      configuration: "done",
      "trial-rollback": "done",
      notification: "done",
    });
    const list = preflightList(ALL, FACTS);
    expect(settled(list, [])[0]).toMatchObject({ id: "backup", status: "pending" });
    expect(settled(list, ["before-v1.1.0@1 of shop"])[0]).toMatchObject({
      status: "done",
      detail: expect.stringContaining("@1") as string,
    });
  });

  test("each thing that is missing is named, with how to get it", () => {
    const list = preflightList(ALL, { ...FACTS, verifies: false, tag: null, trial: null, notification: null });
    const lacking = list.filter(({ status }) => status === "missing");
    expect(lacking.map(({ id }) => id)).toEqual(["backup", "tag", "trial-rollback", "notification"]);
    const { message, before } = new ListIncompleteError("v1.1.0", list);
    expect(before).toHaveLength(5);
    for (const part of ["backout:standby", "--tag pre-deployment-", "backout drill shop", "before-deployment", "--skip"])
      expect(message).toContain(part);
  });

  test("a trial counts for the hours that are allowed, to the minute", () => {
    expect(statuses({ now: 24 * HOUR_MS })["trial-rollback"]).toBe("done");
    expect(statuses({ now: 24 * HOUR_MS + 60_000 })["trial-rollback"]).toBe("missing");
  });

  test("what is left out is skipped with its reason, whatever was found", () => {
    const [backup] = preflightList(ALL, { ...FACTS, verifies: false }, { backup: "the machine is new" });
    expect(backup).toMatchObject({ id: "backup", status: "skipped", detail: "the machine is new" });
  });
});

describe("what is found", () => {
  let folder = "";
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const report = (runId: string, verdict: string, startedAt: string, system = "pfa-vanguard"): void => {
    mkdirSync(join(folder, "reports", runId), { recursive: true });
    const told = { runId, system, target: "process", scope: "quick", fault: null, faultSeen: null, verdict, seconds: 60, phases: [] };
    const times = { seconds: 60, cutOverMs: null, unavailableMs: null };
    const rollback =
      verdict === "failed" ? null : { from: "v2", to: "v1", data: "current", ...times, rowsAtRisk: {}, rowsLost: 0, exported: [] };
    const checks = [{ name: "health", status: "passed", detail: "" }];
    writeFileSync(join(folder, "reports", runId, "report.json"), JSON.stringify({ ...told, rollback, checks, report: "", startedAt }));
  };
  const look = () => {
    const config = configOf();
    const site = { ...siteOf(config, "test", folder), home: join(folder, "home") };
    const policy = {
      notifications: [
        { when: "before-deployment", channel: "chat", text: "{from} → {to}: {reason}", to: ["everybody"] },
        { when: "start", channel: "chat", text: "not this one" },
      ],
    } as unknown as PolicyDefinition;
    const question = { config, pins: pinsOf(), from: "v3.0.0", to: "v4.0.0", runId: "deploy-1", reason: "CHANGE-9" };
    return inspectDeployment({ ...question, site, definition: { ...definition, policy }, reports: join(folder, "reports") });
  };

  test("the newest trial of this system that passed, the ledger's exact artefacts, the text that is sent, a copy of the configuration", () => {
    folder = mkdtempSync(join(tmpdir(), "backout-list-"));
    expect(look().trial).toBeNull();
    report("drill-1", "passed", "2026-01-01T00:00:00.000Z");
    report("drill-2", "passed", "2026-01-02T00:00:00.000Z");
    report("drill-3", "failed", "2026-01-03T00:00:00.000Z");
    report("drill-4", "passed", "2026-01-04T00:00:00.000Z", "another-system");
    const found = look();
    expect(found.trial).toEqual({ runId: "drill-2", at: Date.parse("2026-01-02T00:01:00.000Z") });
    expect(found.notification).toBe("chat to everybody: v3.0.0 → v4.0.0: CHANGE-9");
    expect(Object.values(found.artefacts)).toSatisfy(
      (hashes: string[]) => hashes.length === 3 && hashes.every((hash) => hash.length === 64),
    );
    expect(found.configuration.sha256).toHaveProperty("backend");
    expect(found.tag).toBeNull();
  });

  test("a tag is recorded once: another one for the same release is refused", () => {
    const stack = (tag?: string) => {
      const config = configOf();
      if (tag !== undefined) config.releases[config.release]!.tag = tag;
      return { config } as OpenStack;
    };
    expect(tagEdits(stack(), undefined)).toEqual([]);
    expect(tagEdits(stack(), "pre-deployment-20251121-0900")).toMatchObject([{ value: "pre-deployment-20251121-0900" }]);
    expect(() => tagEdits(stack("pre-deployment-20251120-0900"), "pre-deployment-20251121-0900")).toThrow(
      /is recorded with tag pre-deployment-20251120-0900/,
    );
  });
});
