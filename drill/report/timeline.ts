/** Where each phase lies on the drawing: a pure layout in units of the drawing, to one scale. */
import type { DrillPhase, DrillReport, Status } from "../../state/drill-reports/schema.ts";

export interface Bar {
  name: string;
  seconds: number;
  budgetSeconds: number | null;
  status: Status;
  x: number;
  width: number;
  /** End of the budget; null: no budget, or outside the drawing (`beyond`). */
  budgetX: number | null;
  /** The budget ends to the right of the drawing. */
  beyond: boolean;
}

export interface Timeline {
  /** Seconds the whole width stands for. */
  spanSeconds: number;
  width: number;
  bars: Bar[];
  ticks: { seconds: number; x: number }[];
  unavailable: { x: number; width: number } | null;
}

/** Minimum width, so that short bars are visible. */
const LEAST_WIDTH = 1;

/** Start of each phase: as measured, else the end of the previous one. */
function starts(phases: readonly DrillPhase[]): number[] {
  let end = 0;
  return phases.map((phase) => {
    const start = phase.atSeconds ?? end;
    end = start + phase.seconds;
    return start;
  });
}

/** The smallest of 1, 2 and 5 times a power of ten that makes at most `most` steps. */
export function tickStep(span: number, most: number): number {
  const power = 10 ** Math.floor(Math.log10(span / most));
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => span / step <= most) ?? 10 * power;
}

/** `width`: units of the drawing. */
export function timeline(report: DrillReport, width: number): Timeline {
  const begins = starts(report.phases);
  const ends = report.phases.map((phase, index) => (begins[index] ?? 0) + phase.seconds);
  const window = report.unavailableBetween;
  const spanSeconds = Math.max(report.seconds, ...ends, window?.toSeconds ?? 0) || 1;
  const scale = (seconds: number): number => (seconds / spanSeconds) * width;
  const bars = report.phases.map(({ name, seconds, budgetSeconds, status }, index): Bar => {
    const start = begins[index] ?? 0;
    const budgetEnd = budgetSeconds === null ? null : start + budgetSeconds;
    const beyond = budgetEnd !== null && budgetEnd > spanSeconds;
    const x = Math.min(scale(start), width - LEAST_WIDTH);
    return {
      name,
      seconds,
      budgetSeconds,
      status,
      x,
      width: Math.max(scale(seconds), LEAST_WIDTH),
      budgetX: budgetEnd === null || beyond ? null : scale(budgetEnd),
      beyond,
    };
  });
  const step = tickStep(spanSeconds, 8);
  const ticks = Array.from({ length: Math.floor(spanSeconds / step + 1e-9) + 1 }, (_, index) => ({
    seconds: index * step,
    x: scale(index * step),
  }));
  return {
    spanSeconds,
    width,
    bars,
    ticks,
    unavailable:
      window === null ? null : { x: scale(window.fromSeconds), width: Math.max(scale(window.toSeconds - window.fromSeconds), LEAST_WIDTH) },
  };
}
