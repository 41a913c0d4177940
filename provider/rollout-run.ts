/** A run for a resource that changes a service or data: only as part of the recorded rollout. */
import type { Run } from "../config/run.ts";
import { upCommand } from "../config/commands.ts";
import { canonical, type Pins } from "../config/pins.ts";
import type { Site } from "../config/site.ts";
import { takeOverGate } from "../rollout/gate.ts";
import type { Call } from "./resource.ts";
import { runOf } from "./session.ts";

/** An update of single resources skips plan and fence: what it would change is not what the recorded rollout is for. */
export class OutsideRolloutError extends Error {
  readonly what: string;
  constructor(site: Site, epoch: number, what: string) {
    super(
      `${what} differs from rollout ${epoch}, the last recorded: an update of single resources (--target) skips the plan and the fence. ` +
        `Nothing was changed. Run \`${upCommand(site)}\` without --target.`,
    );
    this.name = "OutsideRolloutError";
    this.what = what;
  }
}

/**
 * A run of the rollout that these pins belong to.
 * @param part of the pins that the resource works by; compared with the same of the recorded ones
 * @throws OutsideRolloutError
 */
export async function runFor<T>(
  { site, epoch, what }: { site: Site; epoch: number; what: string },
  call: Call,
  part: (pins: Pins) => T,
  given: T,
): Promise<Run> {
  const run = await runOf(site, epoch, call);
  const rollout = await run.state.rollout(epoch);
  if (rollout === null || canonical(part(rollout.pins)) !== canonical(given)) throw new OutsideRolloutError(site, epoch, what);
  await takeOverGate(run, rollout);
  return run;
}
