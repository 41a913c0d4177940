/** How long users will be kept out, from what earlier rollouts took and from what has to be copied. Pure. */
import type { RolloutPlan } from "../config/plan.ts";

export interface EstimateInput {
  plan: RolloutPlan;
  /** Seconds from closing to opening of earlier rollouts that were like this one, newest first. */
  earlierSeconds: number[];
  /** Seconds that drills of the same scope took, newest first: used where there was no earlier rollout. */
  rehearsedSeconds?: number[];
  /** Bytes that must be copied while users are out: snapshots that are still to be taken, data that is replaced in place. */
  toCopyBytes: number;
  /** Rows written since that are put back before users are let in. @default 0 */
  toPutBackRows?: number;
}

export interface Estimate {
  seconds: number;
  basis: string;
}

/** A file copy inside PostgreSQL on a plain disk, bytes per second; conservative. */
const COPY_BYTES_PER_SECOND = 200_000_000;
/** Rows staged, compared and written: measured 23,000 in 4 s on two busy cores. */
const ROWS_PUT_BACK_PER_SECOND = 5_000;
const SECONDS_PER_START = 0.6;
const SECONDS_OF_ENGINE = 1.5;

/** Seconds that a copy of this size takes. */
export function copySeconds(bytes: number): number {
  return round(bytes / COPY_BYTES_PER_SECOND);
}

export function estimate({ plan, earlierSeconds, rehearsedSeconds = [], toCopyBytes, toPutBackRows = 0 }: EstimateInput): Estimate {
  const copying = toCopyBytes / COPY_BYTES_PER_SECOND;
  const puttingBack = toPutBackRows / ROWS_PUT_BACK_PER_SECOND;
  const andRows = puttingBack >= 1 ? ", plus the rows that are put back" : "";
  if (!plan.closeGate) return { seconds: 0, basis: "users are not kept out" };
  const known = earlierSeconds.length > 0 ? earlierSeconds : rehearsedSeconds;
  if (known.length > 0) {
    const sorted = known.slice(0, 5).sort((a, b) => a - b);
    const median = sorted[Math.floor(sorted.length / 2)]!;
    const like = earlierSeconds.length > 0 ? "like it" : "drills of it";
    return {
      seconds: round(median + copying + puttingBack),
      basis: `median of the last ${sorted.length} ${like}${copying >= 1 ? ", plus the copy" : ""}${andRows}`,
    };
  }
  return {
    seconds: round(SECONDS_OF_ENGINE + plan.stop.length * SECONDS_PER_START + copying + puttingBack),
    basis: `no earlier one like it; from what stops and what is copied${andRows}`,
  };
}

function round(seconds: number): number {
  return Math.ceil(seconds * 10) / 10;
}
