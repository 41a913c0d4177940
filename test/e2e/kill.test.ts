/**
 * SIGKILL of the CLI, of the provider and of PostgreSQL in every phase of a rollback, while a client writes. The phases are taken from the
 * code: one without a failpoint makes its case fail.
 */
import { readdirSync, readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { PHASES, type Phase } from "../../crossing/phases.ts";
import type { PinEdit } from "../../declared/edit.ts";
import { isAlive } from "../../scripts/engine/process-table.ts";
import { makeStand, PINS, until, type Stand, type Victim } from "./stand.ts";

const CASES: [string, Victim][] = PHASES.flatMap((phase): [string, Victim][] => [
  [`${phase}.before`, "cli"],
  [`${phase}.after`, "cli"],
  [`${phase}.before`, "provider"],
  [`${phase}.before`, "postgres"],
]);

let stand: Stand;
beforeAll(async () => {
  stand = await makeStand();
});
afterAll(() => stand?.destroy());

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
    ["resume.after", "provider"],
  ] satisfies [string, Victim][])
    test(`${victim} killed at ${point}: the same command again deploys`, async () => {
      const { provider } = await stand.interrupt(point, victim);
      await until("the provider is gone", () => !isAlive(provider));
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

describe("a restore", () => {
  for (const [index, [point, victim]] of CASES.entries())
    test(`${victim} killed at ${point}`, async () => {
      await stand.upWell(PINS.forward);
      const last = (await stand.snapshots()).filter(({ name }) => name === "before-v4.0.0").at(-1)!;
      const snapshot = `${last.name}@${last.generation}`;
      const writer = stand.writer();
      await writer.another();
      const runId = `kill-${index}`;
      // A rollback takes a snapshot only where a declared one is missing.
      const declared: PinEdit[] =
        (point.split(".")[0] as Phase) === "snapshot" ? [{ path: ["backups"], value: { snapshots: [`declared-${index}`] } }] : [];
      try {
        const { provider } = await stand.interrupt(point, victim, [...PINS.restore(snapshot), ...declared], runId);
        // The provider outlives the CLI and ends what it was doing.
        if (victim === "cli") await until("the provider has noticed that it is alone", () => !isAlive(provider));
        const mode = stand.gate()?.mode;
        stand.removeStaleLocks();
        const { seconds } = await stand.upWell();
        await writer.another().catch(() => undefined);
        const acknowledged = await writer.stop();

        const crossing = (await stand.last())!;
        const killed = (await stand.journal(crossing.epoch)).filter((entry) => entry.runId === runId);
        const verified = killed.some(({ phase, step, status }) => phase === "verify" && status === "finished" && step !== "results");
        const begun = killed.some(({ status }) => status === "finished");
        expect(mode === "closed" || verified || !begun, `the gate was ${mode} although nothing was verified`).toBe(true);

        expect(crossing).toMatchObject({ state: "open", failure: null });
        expect(crossing.recordedAt).not.toBeNull();
        expect(await stand.version()).toBe("v3.0.0");
        expect(await stand.frontendVersion()).toBe("v3.0.0");
        expect(stand.pids().worker).toBeNull();
        expect(stand.gate()?.mode).toBe("open");
        expect(await stand.lineage()).toEqual({ snapshot: { name: last.name, generation: last.generation, again: 0 }, quarantine: null });
        expect(await stand.lost(acknowledged)).toEqual([]);
        console.log(
          `${victim.padEnd(8)} ${point.padEnd(15)} gate ${String(mode).padEnd(6)} rerun ${seconds.toFixed(1)} s, ${acknowledged.length} acknowledged, 0 lost`,
        );
      } finally {
        await writer.stop();
      }
    });

  test("nobody is left behind", async () => {
    await stand.untilArmed();
    await until("every process of a killed update has ended", () => leftovers().length === 0, 15_000).catch(() =>
      expect(leftovers()).toEqual([]),
    );
  });
});
