/** The times of a drill: each phase with its start, and where the drill is now. */
import type { CheckResult } from "../config/system/check.ts";
import type { DrillPhase } from "../state/drill-reports/schema.ts";

export class Clock {
  readonly phases: DrillPhase[] = [];
  /** Wall clock of the start, milliseconds. */
  readonly startedAt = Date.now();
  readonly #started = performance.now();
  readonly #onPhase: (phase: string) => void;
  readonly #onDone: (phase: DrillPhase) => void;
  readonly #checks: readonly CheckResult[];

  /** @param checks the drill's: a phase in which one of them fails has not passed. */
  constructor(onPhase: (phase: string) => void, onDone: (phase: DrillPhase) => void, checks: readonly CheckResult[]) {
    this.#onPhase = onPhase;
    this.#onDone = onDone;
    this.#checks = checks;
  }

  get seconds(): number {
    return thousandths((performance.now() - this.#started) / 1000);
  }

  /** Seconds after the start of the drill, of a wall-clock instant. */
  at(wall: number): number {
    return Math.max(0, thousandths((wall - this.startedAt) / 1000));
  }

  /** Times one phase. It fails if a check fails in it; an error marks it as failed too, and is rethrown. */
  async phase<T>(name: string, work: () => Promise<T>, budgetSeconds: number | null = null): Promise<T> {
    this.#onPhase(name);
    const atSeconds = this.seconds;
    const earlier = this.#checks.length;
    let status: DrillPhase["status"] = "failed";
    try {
      const result = await work();
      if (this.#checks.slice(earlier).every((check) => check.status !== "failed")) status = "passed";
      return result;
    } finally {
      const seconds = thousandths(this.seconds - atSeconds);
      this.add({ name, seconds, budgetSeconds, status: within(status, seconds, budgetSeconds), atSeconds });
    }
  }

  add(phase: DrillPhase): void {
    this.phases.push(phase);
    this.#onDone(phase);
  }
}

/** A phase over its budget has not passed. */
export function within(status: DrillPhase["status"], seconds: number, budgetSeconds: number | null): DrillPhase["status"] {
  return status === "passed" && budgetSeconds !== null && seconds > budgetSeconds ? "failed" : status;
}

function thousandths(value: number): number {
  return Math.round(value * 1000) / 1000;
}
