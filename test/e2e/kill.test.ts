/**
 * SIGKILL of the CLI, of the provider and of PostgreSQL in every phase of a rollback and around every one of its steps, while the drill's witness
 * writes. The phases are taken from the code, the steps from the journal of a real rollback: a new one is covered without a word here.
 */
// Longer than 300 lines: one stack is restored again and again; the walks know where earlier kills stood.
import { readdirSync, readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { JournalEntry } from "../../config/journal.ts";
import { stepPoint } from "../../processes/failpoints.ts";
import { PHASES, type Phase } from "../../config/phases.ts";
import type { PinEdit } from "../../config/edit.ts";
import { isRunning } from "../../processes/identity.ts";
import { listPath } from "../../systems/pfa-vanguard/api.ts";
import { expectNothingLost, makeStand, NotReachedError, PINS, until, type Stand, type Victim } from "./stand.ts";

/** Each of them is killed on its own: nothing was killed before. */
const CUT_OVER = ["data.swap-renamed", "data.swap-committed"].flatMap((point): [string, Victim][] => [
  [point, "provider"],
  [point, "postgres"],
]);
/**
 * At the first step of each phase (or one of those that begin together), in one restore from phase to phase. Who outlives the CLI ends what it
 * was doing: it makes no difference whether that was killed before or after a step.
 */
const IN_EVERY_PHASE = { cli: "after", provider: "before", postgres: "before" } as const satisfies Record<Victim, string>;
/** Each point around a further step has one of them, in turn. */
const VICTIMS: Victim[] = ["provider", "postgres", "cli"];
/** Walking through the steps of a phase, milliseconds. */
const WALK_MS = 900_000;

let stand: Stand;
beforeAll(async () => {
  stand = await makeStand();
});
afterAll(() => stand?.destroy());

type Step = Pick<JournalEntry, "phase" | "step">;
const named = ({ phase, step }: Step): string => `${phase}: ${step}`;
/** What differs from one restore to the next in the names of their steps. */
interface Names {
  snapshot: string;
  declared: string;
}
const PLACEHOLDERS: Names = { snapshot: "{{snapshot}}", declared: "{{declared}}" };
function renamed(text: string, from: Names, to: Names): string {
  return text.replaceAll(from.snapshot, to.snapshot).replaceAll(from.declared, to.declared);
}

/** Processes that were started by an update and are still there. Pulumi's language host looks every five minutes whether its engine is there. */
function leftovers(): string[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .flatMap((pid) => {
      try {
        if (!readFileSync(`/proc/${pid}/environ`, "latin1").includes(`BACKOUT_HOME=${stand.stack.home}`)) return [];
        const command = readFileSync(`/proc/${pid}/cmdline`, "latin1").replaceAll("\0", " ");
        return command.includes("pulumi-language-nodejs") ? [] : [`${pid}: ${command}`];
      } catch {
        return [];
      }
    });
}

describe("the first deployment", () => {
  for (const [point, victim] of [
    ["data.before", "cli"],
    ["start.after", "provider"],
  ] satisfies [string, Victim][])
    test(`${victim} killed at ${point}: the same command again deploys`, async () => {
      const { provider } = await stand.interrupt(point, victim);
      await until("the provider is gone", () => !isRunning(provider));
      expect(stand.gate()?.mode ?? "closed").toBe("closed");
    });

  test("the same command again; an interrupted create is warned of until it is cleared", async () => {
    await stand.upWell();
    const cleared = await stand.pulumi(["refresh", "--yes", "--skip-preview", "--clear-pending-creates"]);
    expect(cleared.code, cleared.output).toBe(0);
    expect((await stand.upWell()).output).not.toMatch(/pending operations/);
    expect(await stand.version()).toBe("v3.0.0");
    expect(stand.gate()?.mode).toBe("open");
    await stand.insertWell("K-BASE");
  });
});

interface Begun extends Names {
  generation: number;
  watched: Awaited<ReturnType<Stand["witness"]>>;
}

/** The newer release runs, its snapshot is there, and the witness writes, since before that snapshot where it could. */
async function forward(): Promise<Begun> {
  const watched = await stand.witness();
  try {
    await stand.upWell(PINS.forward);
    const last = (await stand.snapshots()).filter(({ name }) => name === "before-v4.0.0").at(-1)!;
    await watched.acknowledged(20);
    return { snapshot: `${last.name}@${last.generation}`, declared: `declared-${last.generation}`, generation: last.generation, watched };
  } catch (error) {
    await watched.stop();
    throw error;
  }
}

/** The declared state, verified and open, and nothing lost. @returns how many writes the witness was promised. */
async function expectRestored({ generation, watched }: Begun): Promise<number> {
  await watched.acknowledged(5);
  const rollout = (await stand.last())!;
  expect(rollout).toMatchObject({ state: "open", failure: null });
  expect(rollout.recordedAt).not.toBeNull();
  expect(await stand.version()).toBe("v3.0.0");
  expect(await stand.frontendVersion()).toBe("v3.0.0");
  expect(stand.pids().worker).toBeNull();
  expect(stand.gate()?.mode).toBe("open");
  expect(await stand.lineage()).toEqual({ snapshot: { name: "before-v4.0.0", generation, again: 0 }, quarantine: null });
  const judgement = await watched.judgement(rollout.epoch);
  expectNothingLost(judgement);
  const { inserts, updates, deletes } = judgement.acknowledged;
  return inserts + updates + deletes;
}

/** Steps of a run, in order, whether it finished them or not. */
async function journalOf(runId: string): Promise<JournalEntry[]> {
  return (await stand.journal((await stand.last())!.epoch)).filter((entry) => entry.runId === runId && entry.step !== "results");
}

/** What the gate must be after `done`: it is closed by the step that protects, and only the one that lets users in opens it again. */
function gateAfter(done: Step[]): "open" | "closed" {
  const did = (phase: Phase, step: string): boolean => done.some((each) => each.phase === phase && each.step === step);
  return did("open", "let users in") || !did("fence", "protect") ? "open" : "closed";
}

/** A rollback takes a snapshot only where a declared one is missing. */
const declaring = ({ declared }: Names): PinEdit[] => [{ path: ["backups"], value: { snapshots: [declared] } }];

interface Kill {
  point: (names: Names) => string;
  victim: Victim;
}

let runs = 0;

/**
 * A restore, killed at one point after the other, run again after each, and at last to its end.
 * @returns the step of each kill, with placeholders, null where it was at none; fewer than `kills` where an update was done without coming to the next.
 */
async function killed(kills: Kill[]): Promise<(Step | null)[]> {
  const begun = await forward();
  const declared = kills.some(({ point }) => point(begun).startsWith("snapshot.")) ? declaring(begun) : [];
  const done: { at: string; phase: Phase; runId: string; mode: string | undefined }[] = [];
  let story = "";
  try {
    for (const { point, victim } of kills) {
      const at = point(begun);
      const phase = at.split(".")[0] as Phase;
      const runId = `kill-${++runs}`;
      story += `${story === "" ? "" : ", then "}${victim} killed at ${at}`;
      const pins = [...PINS.restore(begun.snapshot), ...declared];
      const interrupted = await stand.interrupt(at, victim, pins, runId).catch((error: unknown) => {
        if (error instanceof NotReachedError && error.code === 0) return null;
        throw error;
      });
      if (interrupted === null) break;
      // The provider outlives the CLI and ends what it was doing.
      if (victim === "cli") await until("the provider has noticed that it is alone", () => !isRunning(interrupted.provider));
      done.push({ at, phase, runId, mode: stand.gate()?.mode });
    }
    const { seconds } = await stand.upWell();
    const writes = await expectRestored(begun);

    const finished: Step[] = [];
    const stood: (Step | null)[] = [];
    for (const { at, phase, runId, mode } of done) {
      const journal = await journalOf(runId);
      const step = journal.find((each) => each.phase === phase && pointsOf(each).includes(at)) ?? null;
      finished.push(...journal.filter(({ status }) => status === "finished"), ...(step !== null && at.endsWith(".after") ? [step] : []));
      expect(mode, `the gate after the kill at ${at}`).toBe(gateAfter(finished));
      stood.push(step === null ? null : { phase, step: renamed(step.step, begun, PLACEHOLDERS) });
    }
    console.log(`${story}: rerun ${seconds.toFixed(1)} s, ${writes} writes, none lost`);
    return stood;
  } catch (error) {
    throw new Error(`${story}: ${(error as Error).message}`, { cause: error });
  } finally {
    await begun.watched.stop();
  }
}

/**
 * Kills at one point after the other in as few restores as possible: what runs beside another step may be done when an update is run again, and
 * then the next restore is killed there.
 */
async function walk(kills: Kill[]): Promise<(Step | null)[]> {
  const stood: (Step | null)[] = [];
  while (stood.length < kills.length) {
    const left = kills.slice(stood.length);
    const there = await killed(left);
    expect(there.length, `no update came to ${left[0]!.point(PLACEHOLDERS)}`).toBeGreaterThan(0);
    stood.push(...there);
  }
  return stood;
}

/** Points at which a run may stand at a step; those of the phase alone are at its first one. */
function pointsOf({ phase, step }: Step): string[] {
  return [`${phase}.before`, `${phase}.after`, stepPoint(phase, step, "before"), stepPoint(phase, step, "after")];
}

describe("a restore", () => {
  let steps: Step[] = [];
  /** Which victims were killed at a step. */
  const stoodAt = new Map<string, Set<Victim>>();
  let turn = 0;

  test("nobody killed: its journal tells the steps", async () => {
    const begun = await forward();
    try {
      await stand.upWell([...PINS.restore(begun.snapshot), ...declaring(begun)], { BACKOUT_RUN_ID: "whole" });
      await expectRestored(begun);
    } finally {
      await begun.watched.stop();
    }
    steps = (await journalOf("whole"))
      .filter(({ status }) => status === "started")
      .map(({ phase, step }) => ({ phase, step: renamed(step, begun, PLACEHOLDERS) }));
    console.log(steps.map(named).join("\n"));
    expect(new Set(steps.map(({ phase }) => phase))).toEqual(new Set(PHASES.filter((phase) => phase !== "plan")));
  });

  for (const [point, victim] of CUT_OVER)
    test(`${victim} killed at ${point}`, async () => {
      const stood = await killed([{ point: () => point, victim }]);
      expect(stood.length, `the update was done without coming to ${point}`).toBe(1);
    });

  for (const [victim, when] of Object.entries(IN_EVERY_PHASE) as [Victim, "before" | "after"][])
    test(
      `${victim} killed in every phase`,
      async () => {
        const stood = await walk(PHASES.map((phase) => ({ point: () => `${phase}.${when}`, victim })));
        for (const step of stood) if (step !== null) stoodAt.set(named(step), (stoodAt.get(named(step)) ?? new Set()).add(victim));
      },
      WALK_MS,
    );

  for (const phase of PHASES)
    test(
      `killed before and after every further step of ${phase}`,
      async () => {
        expect(steps, "the journal of a real restore").not.toEqual([]);
        const further = steps.filter((each) => each.phase === phase && (stoodAt.get(named(each))?.size ?? 0) < VICTIMS.length);
        const kills = further.flatMap(({ step }) =>
          (["before", "after"] as const).map((when): { step: string } & Kill => ({
            step,
            point: (names) => stepPoint(phase, renamed(step, PLACEHOLDERS, names), when),
            victim: VICTIMS[turn++ % VICTIMS.length]!,
          })),
        );
        expect(await walk(kills)).toEqual(kills.map(({ step }) => ({ phase, step })));
      },
      WALK_MS,
    );

  test("postgres killed while requests are on their way: what the backend wrote about it does not count once the server is back", async () => {
    const begun = await forward();
    try {
      const token = await stand.login();
      const standing = await stand.hold("verify.before", PINS.restore(begun.snapshot), "asked-meanwhile");
      standing.kill("postgres");
      await until("the server is gone", () => stand.pids().server === null);
      const backend = `http://127.0.0.1:${stand.site.ports["backend-upstream"]}`;
      // Its sessions outlive the server for a moment.
      await until("the backend has lost it", async () => (await fetch(`${backend}/health/db`)).status >= 500);
      const read = { headers: { authorization: `Bearer ${token}` } };
      for (let count = 0; count < 3; count++) expect((await fetch(`${backend}${listPath({})}`, read)).status).toBeGreaterThanOrEqual(500);
      standing.go();
      await standing.exited;
      expect(stand.gate()?.mode).toBe("closed");
      await stand.upWell();
      await expectRestored(begun);
    } finally {
      await begun.watched.stop();
    }
  });

  test("provider killed when the worker has stopped and the backend has not", async () => {
    const begun = await forward();
    const { worker, backend } = stand.pids();
    try {
      const standing = await stand.hold("fence.stop-and-confirm-stopped.before", PINS.restore(begun.snapshot), "half-stopped");
      // Deaf to SIGTERM from here on, as a program that hangs.
      process.kill(backend!, "SIGSTOP");
      standing.go();
      await until("the worker has stopped", () => !isRunning(worker!));
      standing.kill("provider");
      await standing.exited;
      expect({ backend: isRunning(backend!), gate: stand.gate()?.mode }).toEqual({ backend: true, gate: "closed" });
      await stand.upWell();
      expect(isRunning(backend!), "the backend of before").toBe(false);
      await expectRestored(begun);
    } finally {
      if (isRunning(backend!)) process.kill(backend!, "SIGCONT");
      await begun.watched.stop();
    }
  });

  test("run again at once, while the provider of the killed command line still works: one after the other", async () => {
    const begun = await forward();
    try {
      const standing = await stand.hold("data.swap-committed", PINS.restore(begun.snapshot), "orphan");
      standing.kill("cli");
      await standing.exited;
      const rerun = stand.up([], { BACKOUT_RUN_ID: "at-once" });
      const asks = "SELECT FROM pg_stat_activity WHERE query LIKE 'SELECT pg_try_advisory_lock%'";
      await until("the second asks for the lock", async () => (await stand.sql(asks, [], "postgres")).length > 0);
      expect(isRunning(standing.provider), "the first still works").toBe(true);
      standing.go();
      const { code, output } = await rerun;
      expect(code, output).toBe(0);
      const runIds = (await stand.journal((await stand.last())!.epoch)).map(({ runId }) => runId);
      expect(runIds.lastIndexOf("orphan"), "the first was done before the second began").toBeLessThan(runIds.indexOf("at-once"));
      expect((await journalOf("orphan")).filter(({ phase, status }) => phase === "data" && status === "finished").length).toBeGreaterThan(
        1,
      );
      expect(isRunning(standing.provider)).toBe(false);
      await expectRestored(begun);
    } finally {
      await begun.watched.stop();
    }
  });

  test("the user's own command again, at once after the command line was killed: it removes the state's lock, says so, and goes on", async () => {
    const begun = await forward();
    try {
      const standing = await stand.hold("start.before", PINS.restore(begun.snapshot), "typed");
      standing.kill("cli");
      await standing.exited;
      standing.go();
      const { code, output } = await stand.typed("up", "--yes", "--skip-preview", "--non-interactive");
      expect(code, output).toBe(0);
      expect(output).toContain(`removed the state lock of pid ${standing.cli}`);
      await expectRestored(begun);
    } finally {
      await begun.watched.stop();
    }
  });

  test("nobody is left behind", async () => {
    await stand.untilStandby();
    await until("every process of a killed update has ended", () => leftovers().length === 0, 15_000).catch(() =>
      expect(leftovers()).toEqual([]),
    );
  });
});
