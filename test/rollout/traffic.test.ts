/** Traffic that others switch, or nobody: what a rollout does before anything stops, and after it was verified. */
import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { gateStateFile } from "../../config/site.ts";
import type { RolloutPlan } from "../../config/plan.ts";
import { rolloutOf, type Pins } from "../../config/pins.ts";
import type { Run } from "../../config/run.ts";
import type { TrafficDefinition } from "../../config/system/traffic.ts";
import { closeGate, gateIsAsDeclared, setGate, trafficDrift, usersAreOut, usersCanWrite } from "../../rollout/gate.ts";
import { RolloutRefusedError, step, StepFailedError } from "../../rollout/run.ts";
import { closeFence } from "../../rollout/steps/fence.ts";
import { readGateState } from "../../traffic/state.ts";
import { sqlite } from "../databases/engines/whole.ts";
import { DATABASE, makeStand, planOf, type Stand } from "../databases/engines/sqlite-stand.ts";

const OFF = { mode: "off", message: "" } as const;
const PINS = { release: "v1", services: {}, data: {}, needs: {}, flags: {}, maintenance: OFF } as unknown as Pins;
const PLAN = {
  forward: false,
  fenceData: true,
  closeGate: true,
  stop: [],
  take: [],
  databases: { [DATABASE]: planOf({ kind: "none" }) },
} as unknown as RolloutPlan;

let stand: Stand;
beforeEach(() => void (stand = makeStand()));
afterEach(async () => stand.end());

const inFolder = (name: string): string => join(stand.folder, name);
function script(name: string, text: string): string[] {
  writeFileSync(inFolder(name), `#!/bin/sh\n${text}\n`);
  chmodSync(inFolder(name), 0o755);
  return [inFolder(name)];
}
const switched = (close = "echo close >> told; touch closed", open = "echo open >> told; rm -f closed"): TrafficDefinition => ({
  close: script("close", close),
  open: script("open", open),
  check: script("check", "test ! -e closed"),
});
const mode = () => readGateState(gateStateFile(stand.site))?.mode;
const told = (): string[] => (existsSync(inFolder("told")) ? readFileSync(inFolder("told"), "utf8").trim().split("\n") : []);

async function runWith(traffic: TrafficDefinition, epoch: number): Promise<Run> {
  const run = await stand.run(epoch);
  return { ...run, definition: { ...run.definition, folder: stand.folder, traffic } };
}

/** A first rollout that opened, and the run of a second. */
async function second(traffic: TrafficDefinition): Promise<Run> {
  const first = await runWith(traffic, 1);
  await sqlite.make(first, DATABASE);
  await first.state.beginRollout({ epoch: 1, rollout: "rollout-1", pins: PINS, plan: PLAN, runId: "run-1", reason: null });
  await first.state.setState(1, "open");
  return runWith(traffic, 2);
}
const fence = (run: Run) => closeFence(run, { pins: PINS, plan: PLAN, newWrites: "export", reason: null });

describe("a balancer that backout switches", () => {
  test("is closed first and opened last, and nobody but it is asked twice whether it is", async () => {
    const run = await second(switched());
    await fence(run);
    expect([told(), mode(), usersAreOut(run.site)]).toEqual([["close"], "closed", true]);
    await setGate(run, OFF);
    expect([told(), mode(), usersAreOut(run.site)]).toEqual([["close", "open"], "open", false]);
    expect(await gateIsAsDeclared(run.site, run.definition, OFF)).toBe(true);
    expect(await trafficDrift(run.site, run.definition)).toBeNull();
  });

  test("that somebody switched by hand is drift, which an update corrects", async () => {
    const run = await second(switched());
    await setGate(run, OFF);
    writeFileSync(inFolder("closed"), "");
    expect(await gateIsAsDeclared(run.site, run.definition, OFF)).toBe(false);
    expect(await trafficDrift(run.site, run.definition)).toMatch(/users are kept out by the balancer, and should be let in/);
  });

  test("that does not close refuses the rollout before anything stops, and is opened again", async () => {
    const run = await second(switched("touch closed; echo no such site >&2; exit 3"));
    const refused = await fence(run).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(RolloutRefusedError);
    expect((refused as Error).message).toMatch(
      /users were not kept out: .*close ended with exit code 3: no such site\. Nothing was stopped.*Run `.*close`/,
    );
    expect([told(), mode(), existsSync(inFolder("closed"))]).toEqual([["open"], "open", false]);
    expect((await run.state.lastRollout())?.state).toBe("refused");
    expect((await run.state.journal(2)).map(({ kind }) => kind)).not.toContain("stop");
  });

  test("that can neither be closed nor opened again is told so", async () => {
    const run = await second(switched("exit 3", "exit 4"));
    await expect(fence(run)).rejects.toThrow(/exit code 3.*Whether users are let in is not known: .*exit code 4/);
  });

  test("that does not close a rollout which is under way already fails the step: what is closed stays closed", async () => {
    const run = await second(switched());
    await fence(run);
    const again = await runWith(switched("exit 3"), 3);
    await expect(closeFence(again, { pins: { ...PINS, release: "v2" }, plan: PLAN, newWrites: "export", reason: null })).rejects.toThrow(
      StepFailedError,
    );
    expect(mode()).toBe("closed");
  });

  test("that does not open leaves users out, by the gate as well", async () => {
    const run = await second(switched(undefined, "exit 4"));
    await closeGate(run, OFF);
    await expect(setGate(run, OFF)).rejects.toThrow(/^users were not let in: .*open ended with exit code 4/);
    expect(mode()).toBe("closed");
  });

  test("stays as it is when what was adopted gets its gate: users reach what ran before until everything is verified", async () => {
    const run = await second(switched());
    await run.state.beginRollout({ epoch: 2, rollout: rolloutOf(PINS), pins: PINS, plan: PLAN, runId: "run-2", reason: null });
    await run.state.setState(2, "open");
    await fence(run);
    expect([told(), mode()]).toEqual([[], "closed"]);
  });

  test("is left alone where only backout reaches the system, as in a drill", async () => {
    const run = await second(switched());
    await fence({ ...run, site: { ...run.site, traffic: "private" } });
    expect([told(), mode()]).toEqual([[], "closed"]);
  });
});

test("without any traffic of backout's users are never out: what they write may come in at any time", async () => {
  const run = await second("none");
  await fence(run);
  expect([mode(), usersAreOut(run.site), usersCanWrite(run.site)]).toEqual(["closed", false, true]);
  const failed = new StepFailedError(run.site, "verify", "1 check", new Error("no"));
  expect(failed.message).toMatch(/Nobody keeps users out; what was stopped stays stopped/);
});

describe("a step that failed says what can be gone back to", () => {
  type Planned = { fromRelease: string | null; toRelease: string; forward?: boolean; adopted?: true };
  async function failed(last: Planned, opened: Planned | null): Promise<StepFailedError | null> {
    const run = await runWith(switched(), 2);
    const begin = (epoch: number, plan: Planned) =>
      run.state.beginRollout({
        epoch,
        rollout: `rollout-${epoch}`,
        pins: PINS,
        plan: { ...PLAN, forward: true, ...plan },
        runId: "run",
        reason: null,
      });
    if (opened !== null) {
      await begin(1, opened);
      await run.state.setState(1, "open");
    }
    await begin(2, last);
    const work = (): Promise<null> => Promise.reject(new Error("no"));
    const head = { phase: "start", kind: "start", name: "api v1" } as const;
    return step(run, head, work, () => null as never).then(
      () => null,
      (error: unknown) => error as StepFailedError,
    );
  }
  const first = { fromRelease: null, toRelease: "v1" };
  const adopted = { ...first, adopted: true as const };
  const next = { fromRelease: "v1", toRelease: "v2" };

  test.each([
    ["of a first deployment, nothing", first, null, /to resume: it is the first deployment, so there is no release to go back to\.$/],
    [
      "of one on what was adopted, that",
      { ...next, toRelease: "v1" },
      adopted,
      /give back what was adopted: `\S.* destroy --stack \S+` ends/,
    ],
    ["of one over a release, that", next, first, /go back to v1: `npx backout rollback --stack \S+`\.$/],
    ["of one over what was adopted as a release, that", next, adopted, /go back to v1: `npx backout rollback --stack \S+`\.$/],
    ["else the release that was pinned", { ...next, toRelease: "v1" }, first, /pin the previous release/],
  ])("%s", async (_what, last, opened, said) => {
    const error = await failed(last, opened);
    expect(error?.message).toMatch(said);
    expect(error?.reason).toBe("start: api v1 failed: no");
  });
});
