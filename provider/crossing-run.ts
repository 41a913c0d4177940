/** A run for whoever changes a service or data: only as part of the crossing that the record knows. */
import type { Run } from "../config/run.ts";
import { upCommand } from "../config/commands.ts";
import { canonical, type Pins } from "../config/pins.ts";
import type { Site } from "../config/site.ts";
import type { Call } from "./resource.ts";
import { runOf } from "./session.ts";

/** An update of single resources skips plan and fence: what it would change is not what the recorded crossing is for. */
export class OutsideCrossingError extends Error {
  readonly what: string;
  constructor(site: Site, epoch: number, what: string) {
    super(
      `${what} is pinned otherwise than in crossing ${epoch}, the last that is recorded: an update of single resources (--target) skips the plan and the fence. ` +
        `Nothing was changed. Run \`${upCommand(site)}\` without --target.`,
    );
    this.name = "OutsideCrossingError";
    this.what = what;
  }
}

/**
 * A run of the crossing that these pins belong to, for whoever changes a service or data.
 * @param part of the pins that the resource works by; compared with the same of the recorded ones
 * @throws OutsideCrossingError
 */
export async function runFor<T>(
  { site, epoch, what }: { site: Site; epoch: number; what: string },
  call: Call,
  part: (pins: Pins) => T,
  given: T,
): Promise<Run> {
  const run = await runOf(site, epoch, call);
  const crossing = await run.control.crossing(epoch);
  if (crossing === null || canonical(part(crossing.pins)) !== canonical(given)) throw new OutsideCrossingError(site, epoch, what);
  return run;
}
