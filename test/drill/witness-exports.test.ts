/** Exports are judged by what really left the live database, whatever was under way when the gate closed. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Exported } from "../../drill/witness/content.ts";
import { judgeFound, type Judgement } from "../../drill/witness/judge.ts";
import type { Memory } from "../../drill/witness/memory.ts";
import { difference, steps, System, type Database, type Step } from "./writers.ts";

const findings = ({ lost, wrong, resurrected }: Judgement): number => lost.length + wrong.length + resurrected.length;

function verdict(memory: Memory, live: Database, quarantines: Database[], exported: Exported[]): Judgement {
  const named = (name: string, content: Database) => ({ name, found: { content, repeated: [], exists: true } });
  return judgeFound(
    memory,
    named("live", live),
    quarantines.map((content, index) => named(`q${index}`, content)),
    { exported, problems: [] },
  );
}

const plans = fc.tuple(steps, steps, steps);
const period = fc.record({ plans, length: fc.integer({ min: 20, max: 120 }) });

interface Period {
  plans: Step[][];
  length: number;
}

/** Snapshot (behind the gate, or `online` in the midst of the second period), restore at the end of it, writing again. */
function restored(before: Period, between: Period, after: Period, online: number | null) {
  const system = new System(3);
  let snapshot: Database = new Map();
  let quarantine: Database = new Map();
  const take = (): void => void (snapshot = new Map(system.live));
  system.serve(before.plans, before.length, null, take);
  system.serve(between.plans, between.length, online === null ? null : { at: online, happens: take }, () => {
    quarantine = system.live;
    system.live = new Map(snapshot);
  });
  system.serve(after.plans, after.length, null, () => undefined);
  return { system, snapshot, quarantine, exported: difference(snapshot, quarantine) };
}

const online = fc.option(fc.nat(20), { nil: null });

describe("a complete export is never accused", () => {
  test("with many writers, whatever was under way", () => {
    fc.assert(
      fc.property(period, period, period, online, (before, between, after, at) => {
        const { system, quarantine, exported } = restored(before, between, after, at);
        const judgement = verdict(system.memory, system.live, [quarantine], exported);
        expect(judgement.exports.missing).toEqual([]);
        expect(findings(judgement)).toBe(0);
        expect(judgement.accountedFor.nowhere).toBe(0);
      }),
      { numRuns: Number(process.env.RUNS ?? 300) },
    );
  });
});
