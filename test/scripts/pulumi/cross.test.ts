import { expect, test } from "vitest";
import type { Phase } from "../../../config/phases.ts";
import { phaseTimes } from "../../../scripts/pulumi/roll-out.ts";
import { definition as pfaVanguard } from "../../../systems/pfa-vanguard/definition.ts";

const at = (seconds: number): string => new Date(Date.UTC(2026, 0, 1) + seconds * 1000).toISOString();
const entry = (runId: string, phase: Phase, status: "started" | "finished" | "failed", seconds: number) => ({
  runId,
  phase,
  kind: "check" as const,
  status,
  at: at(seconds),
});

test("a phase takes as long as its runs worked at it: what lay between them is nobody's work", () => {
  const journal = [
    entry("killed", "fence", "started", 0),
    entry("killed", "fence", "finished", 2),
    entry("killed", "data", "started", 2),
    entry("killed", "data", "started", 5),
    entry("again", "data", "started", 600),
    entry("again", "data", "finished", 601.5),
  ];
  expect(phaseTimes(journal, pfaVanguard.scopes["restore"])).toEqual([
    { name: "fence", seconds: 2, budgetSeconds: 120, status: "done" },
    { name: "data", seconds: 4.5, budgetSeconds: 600, status: "done" },
  ]);
});

test("a phase that was begun and not ended has failed", () => {
  const journal = [entry("killed", "fence", "started", 0), entry("killed", "fence", "finished", 1), entry("killed", "data", "started", 2)];
  expect(phaseTimes(journal, undefined)).toEqual([
    { name: "fence", seconds: 1, budgetSeconds: null, status: "done" },
    { name: "data", seconds: 0, budgetSeconds: null, status: "failed" },
  ]);
});

test("of a rollout that was interrupted between two steps the last phase is not done", () => {
  const journal = [entry("killed", "fence", "started", 0), entry("killed", "fence", "finished", 1)];
  const unfinished = phaseTimes(journal, undefined, false);
  expect(unfinished).toEqual([{ name: "fence", seconds: 1, budgetSeconds: null, status: "failed" }]);
});

test("more time than the scope gives a phase is told", () => {
  const journal = [entry("slow", "fence", "started", 0), entry("slow", "fence", "finished", 121)];
  expect(phaseTimes(journal, pfaVanguard.scopes["restore"])).toEqual([
    { name: "fence", seconds: 121, budgetSeconds: 120, status: "over budget" },
  ]);
});
