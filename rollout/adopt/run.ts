/** One adoption from the lock to its end: what fails half-way is given back; what is killed is found by the next. */
import { RefusedError } from "../../config/errors.ts";
import { commandOf } from "../../config/commands.ts";
import type { Run } from "../../config/run.ts";
import type { Site } from "../../config/site.ts";
import type { SystemDefinition } from "../../config/system/definition.ts";
import { createState, openState } from "../../databases/open-state.ts";
import { thisProcess } from "../../processes/lock-holder.ts";
import { adoptedDatabases, adoptionRecord, type AdoptionRecord } from "../../state/adoption.ts";
import { claimRecord } from "../../state/identity.ts";
import { gateRuns } from "../gate.ts";
import { giveBackAll } from "./give-back.ts";
import { adoptionEpoch } from "./record.ts";
import { takeOver, type TakenOver, type TakeOver } from "./take-over.ts";

interface Place {
  site: Site;
  definition: SystemDefinition;
}

interface Attempt {
  runId: string;
  /** The stack file said `adopt: true` before. */
  declared: boolean;
  say: (line: string) => void;
}

/** It failed, and the databases are as they were found. */
export class AdoptionFailedError extends Error {
  readonly givenBack = true;
  constructor(cause: unknown) {
    super(`adopting failed, and everything was given back as it was found: ${(cause as Error).message}`, { cause });
    this.name = "AdoptionFailedError";
  }
}

/** It failed, and so did giving back. */
export class HalfAdoptedError extends Error {
  constructor({ project, stack }: Site, cause: unknown, left: unknown) {
    super(
      `adopting failed: ${(cause as Error).message}\nWhat was made is still there, because giving back failed too: ${(left as Error).message}\n` +
        `No user was kept out. Fix the cause and run \`${commandOf(project, "backout", `adopt --stack ${stack} --undo`)}\`, or adopt again`,
      { cause },
    );
    this.name = "HalfAdoptedError";
  }
}

const LOCK_WAIT_MS = 10_000;

async function openRun({ site, definition }: Place, { runId, say }: Pick<Attempt, "runId" | "say">): Promise<Run> {
  const state = await createState(site, definition);
  try {
    await state.lock({ runId, ...thisProcess() }, LOCK_WAIT_MS);
    await claimRecord(state, site);
    const log: Run["log"] = (severity, message) => {
      if (severity !== "debug") say(severity === "info" ? message : `! ${message}`);
    };
    return { site, definition, state, epoch: adoptionEpoch(await state.lastRollout(), await adoptionRecord(state)), runId, log };
  } catch (error) {
    await state.end();
    throw error;
  }
}

/** @throws AdoptionFailedError, HalfAdoptedError */
export async function adoptStack(at: Place, wanted: TakeOver, attempt: Attempt): Promise<TakenOver> {
  const madeState = await isNew(at);
  const run = await openRun(at, attempt);
  const begun: AdoptionRecord = {
    runId: attempt.runId,
    startedAt: new Date().toISOString(),
    doneAt: null,
    release: wanted.pins.release,
    entered: {},
    madeState,
    declared: attempt.declared,
  };
  try {
    return await takeOver(run, wanted, begun);
  } catch (error) {
    try {
      await giveBackAll(run, madeState);
    } catch (left) {
      throw new HalfAdoptedError(at.site, error, left);
    }
    throw new AdoptionFailedError(error);
  } finally {
    await run.state.end();
  }
}

/** Nothing is recorded there: an attempt that was killed at its very beginning leaves as much. */
async function isNew({ site, definition }: Place): Promise<boolean> {
  const state = await openState(site, definition);
  if (state === null) return true;
  try {
    return (await adoptionRecord(state))?.madeState ?? (await state.lastRollout()) === null;
  } finally {
    await state.end();
  }
}

/** @returns null where there is nothing to give back. @throws RefusedError where something was deployed since */
export async function undoAdoption(
  at: Place,
  { confirm, ...attempt }: Pick<Attempt, "runId" | "say"> & { confirm: () => Promise<void> },
): Promise<{ declared: boolean } | null> {
  const { project, stack } = at.site;
  const found = await openState(at.site, at.definition);
  // Killed before anything but the stack file was written.
  if (found === null) return at.site.adopt === true ? { declared: false } : null;
  const [record, last] = [await adoptionRecord(found), await found.lastRollout()];
  const taken = await adoptedDatabases(found, at.definition);
  await found.end();
  if (record === null && taken.length === 0 && last !== null) return null;
  if ((last !== null && last.plan.adopted !== true) || gateRuns(at.site))
    throw new RefusedError(
      `${stack} was deployed since it was adopted: \`${commandOf(project, "pulumi", `destroy --stack ${stack}`)}\` ends its services and gives the databases back; nothing was changed`,
    );
  await confirm();
  const run = await openRun(at, attempt);
  try {
    await giveBackAll(run, record?.madeState ?? true);
  } finally {
    await run.state.end();
  }
  return { declared: record?.declared ?? at.site.adopt === true };
}
