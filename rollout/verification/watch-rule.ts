/** What a watch has come to: pure, from its polls and its pass rule. */
import type { WatchDefinition, WatchLimit } from "../../config/system/definition.ts";
import type { Figures } from "../../config/system/check.ts";

export interface Poll {
  /** From 1. */
  n: number;
  /** ISO 8601, by the watch's clock. */
  at: string;
  healthy: boolean;
  /** Checks that failed, with what they saw. */
  failed: { name: string; detail: string }[];
  figures: Figures;
}

export interface WatchVerdict {
  state: "going" | "passed" | "failed";
  /** Why it failed. */
  reasons: string[];
}

/** How many polls a watch has: one at the end of each interval, and at least one. */
export function pollCount({ durationMinutes, intervalSeconds }: Pick<WatchDefinition, "durationMinutes" | "intervalSeconds">): number {
  return Math.max(1, Math.floor((durationMinutes * 60) / intervalSeconds + 1e-9));
}

/** A watch that can no longer pass has failed already: nobody has to wait for its end. */
export function judgeWatch(pass: WatchDefinition["pass"], polls: readonly Poll[], total: number): WatchVerdict {
  const unhealthy = polls.filter(({ healthy }) => !healthy);
  const allowed = total - Math.ceil(pass.healthyShare * total - 1e-9);
  const reasons: string[] = [];
  if (unhealthy.length > allowed)
    reasons.push(
      `${unhealthy.length} of ${polls.length} polls failed, ${allowed === 0 ? "none may" : `${allowed} may`}: ${tellPoll(unhealthy.at(-1)!)}`,
    );
  const ended = polls.length >= total;
  for (const limit of pass.limits) {
    // What is added up over the whole time, or compared with the last poll, is known at the end only.
    if (!ended && limit.over !== "max") continue;
    const value = measured(limit, polls);
    if (value === null) {
      if (ended) reasons.push(`${limit.title}: no poll measured ${limit.figure}`);
    } else if (!(value < limit.below)) reasons.push(`${limit.title}: ${round(value)}, the limit is below ${limit.below}`);
  }
  if (reasons.length > 0) return { state: "failed", reasons };
  return { state: ended ? "passed" : "going", reasons };
}

/** Null where it was not measured. */
export function measured({ figure, per, over }: WatchLimit, polls: readonly Poll[]): number | null {
  const values = polls.flatMap(({ figures }) => {
    const value = figures[figure];
    const by = per === undefined ? 1 : figures[per];
    return value === undefined || by === undefined ? [] : [{ value, by }];
  });
  if (values.length === 0) return null;
  const one = ({ value, by }: { value: number; by: number }): number => (per === undefined ? value : by === 0 ? 0 : value / by);
  if (over === "max") return Math.max(...values.map(one));
  if (over === "growth") return one(values.at(-1)!) - one(values[0]!);
  const sum = values.reduce((total, { value }) => total + value, 0);
  if (per === undefined) return sum;
  const by = values.reduce((total, { by: more }) => total + more, 0);
  // A watch without a single request proves nothing.
  return by === 0 ? null : sum / by;
}

export function tellPoll({ n, failed }: Poll): string {
  return `poll ${n}: ${failed.map(({ name, detail }) => `${name} (${detail})`).join("; ") || "no check passed"}`;
}

function round(value: number): number {
  return Math.round(value * 1_000_000) / 1_000_000;
}
