/** What verbs say at the end: the result, and the command to run next. */
import { expect, test } from "vitest";
import { NotDeployedError } from "../../../scripts/pulumi/not-deployed.ts";
import { EXIT, exitCodeOf } from "../../../scripts/pulumi/outcome.ts";
import type { Status } from "../../../scripts/pulumi/answers.ts";
import { tellPreview } from "../../../scripts/verbs/preview.ts";
import { statusLines } from "../../../scripts/verbs/status.ts";
import { verifiedLines } from "../../../scripts/verbs/verify.ts";
import { pinsOf } from "../../config/sample.ts";

const stack = { project: "/nowhere", stack: "shop", pins: pinsOf({ release: "v3.0.0" }) };

test("a verb that needs a deployment names the command that deploys the pinned release, and is refused", () => {
  const error = new NotDeployedError(stack);
  expect(error.message).toBe("shop is not deployed yet; nothing was changed. To deploy it, run `npx backout deploy v3.0.0 --stack shop`");
  expect(exitCodeOf(error)).toBe(EXIT.refused);
});

const status = (change: Partial<Status>): Status => ({
  stack: "shop",
  system: "shop",
  up: "pulumi up --stack shop",
  deploy: null,
  pending: null,
  config: { release: "v3.0.0", data: {}, blocked: {}, freeze: null },
  reached: true,
  reason: null,
  rollout: null,
  gate: null,
  services: [
    { name: "api", running: false, release: null, pid: null, asPinned: false },
    { name: "worker", running: true, release: "v3.0.0", pid: 7, asPinned: true },
  ],
  unseen: null,
  snapshots: [],
  schemaAhead: [],
  quarantines: [],
  watches: [],
  copiesBytes: 0,
  ...change,
});

test("the status of a stack without a deployment says how to deploy it, and does not warn of what was never started", () => {
  expect(statusLines(status({ deploy: "npx backout deploy v3.0.0 --stack shop", reason: "not deployed yet", reached: false }))).toEqual([
    "shop (shop): pinned to v3.0.0",
    "  not deployed yet: to deploy it, run `npx backout deploy v3.0.0 --stack shop`",
    "  worker: v3.0.0 (pid 7)",
    "  copies of the data use 0.0 MB",
  ]);
  expect(statusLines(status({}))).toContain("  api: off  NOT AS PINNED");
});

test("a preview of what opened last says that nothing changes only where all of it runs", () => {
  const told = (...drifted: string[]): string[] => {
    const lines: string[] = [];
    const nothing = { lines: { removed: [], added: [] }, unknown: null, freeze: null, refused: [], preview: null };
    const pinned = {
      stack: "shop",
      file: "Pulumi.shop.yaml",
      reached: true,
      maintenance: { mode: "off", message: "" },
      settled: true,
    } as const;
    tellPreview({ ...nothing, ...pinned, drifted }, (line) => lines.push(line));
    return lines;
  };
  expect(told()).toEqual(["  nothing to change: these pins opened last"]);
  expect(told("api does not run as pinned")).toEqual([
    "  these pins opened last; what an update corrects:",
    expect.stringContaining("! api does not run as pinned"),
  ]);
});

test("a verification says how many checks failed, which, and how to roll back", () => {
  const check = (name: string, outcome: "passed" | "failed") => ({ name, status: outcome, detail: "401" });
  const lines = (...checks: ReturnType<typeof check>[]): string[] =>
    verifiedLines({ stack: "shop", passed: false, checks }, "npx backout rollback --stack shop");
  expect(lines(check("health", "passed")).at(-1)).toBe("shop: no check failed");
  expect(lines(check("health", "passed"), check("login", "failed")).slice(-2)).toEqual([
    "failed  login: 401",
    "shop: 1 of 2 checks failed: login. To roll back, run `npx backout rollback --stack shop`: it shows a preview and asks first",
  ]);
});
