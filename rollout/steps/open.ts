/** Opens: everybody may connect to the data again, and users get what maintenance says. Only after verification has passed. */
import { upCommand } from "../../config/commands.ts";
import { finished } from "../../config/journal.ts";
import { canonical, type Maintenance, type Pins } from "../../config/pins.ts";
import type { Site } from "../../config/site.ts";
import { TrafficSwitchError } from "../../traffic/switch.ts";
import { setGate } from "../gate.ts";
import { liftProtections } from "../protections.ts";
import { step } from "../run.ts";
import type { Run } from "../../config/run.ts";
import { running } from "../verification/steady.ts";
import { admitEverybody } from "./reopen.ts";
import { verify } from "./verify.ts";

/** Nothing is opened that was not verified. */
export class NotVerifiedError extends Error {
  constructor(site: Site, epoch: number, state: string) {
    super(`rollout ${epoch} is "${state}", not verified: the gate stays closed; run \`${upCommand(site)}\` again`);
    this.name = "NotVerifiedError";
  }
}

/** Everything runs and is verified, and the balancer does not let users in. */
export class NotOpenedError extends Error {
  readonly command: string;
  constructor(site: Site, { message, command }: TrafficSwitchError) {
    super(
      `${message}. Everything runs and is verified. Run \`${command}\` yourself to see why; when it works, run \`${upCommand(site)}\` again`,
    );
    this.name = "NotOpenedError";
    this.command = command;
  }
}

/** What was verified may have ended since, and another process run in its place: then that one is verified. */
async function verifyWhatRuns(run: Run, pins: Pins): Promise<void> {
  const verified = finished(await run.state.journal(run.epoch), "stay-up").at(-1);
  if (canonical(verified?.detail ?? null) === canonical(await running(run, pins))) return;
  await verify(run, pins);
}

export async function open(run: Run, maintenance: Maintenance): Promise<{ openedAt: string }> {
  const rollout = await run.state.rollout(run.epoch);
  if (rollout === null || (rollout.state !== "verified" && rollout.state !== "open"))
    throw new NotVerifiedError(run.site, run.epoch, rollout?.state ?? "unknown");
  if (rollout.state === "verified") await verifyWhatRuns(run, rollout.pins);
  if (maintenance.mode === "off") await liftProtections(run, "open");
  const letIn = async (): Promise<void> => {
    if (rollout.plan.fenceData) await admitEverybody(run);
    await setGate(run, maintenance).catch((error: Error) => {
      throw error instanceof TrafficSwitchError ? new NotOpenedError(run.site, error) : error;
    });
  };
  const name = maintenance.mode === "off" ? "let users in" : `maintenance: ${maintenance.mode}`;
  await step(run, { phase: "open", kind: "open", name }, letIn, () => null);
  await run.state.setState(run.epoch, "open");
  return { openedAt: (await run.state.rollout(run.epoch))?.openedAt ?? "" };
}
