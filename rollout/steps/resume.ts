/** Makes every component run that should run, and none that should not; looks at what really runs. */
import type { Pins } from "../../config/pins.ts";
import { targetOf } from "../../workloads/index.ts";
import { engineOf } from "../../databases/registry.ts";
import { ordered } from "../../config/make-plan.ts";
import { running, settleMs, staySteady } from "../verification/steady.ts";
import { step } from "../run.ts";
import type { Run } from "../../config/run.ts";
import { STAY_UP } from "./verify.ts";

/** A component runs another release than its pin says. */
export class WrongReleaseError extends Error {
  readonly component: string;
  readonly pinned: string;
  readonly running: string | null;
  constructor(component: string, pinned: string, running: string | null) {
    super(`${component} is pinned to ${pinned} but ${running ?? "nothing"} runs`);
    this.name = "WrongReleaseError";
    this.component = component;
    this.pinned = pinned;
    this.running = running;
  }
}

export async function resume(run: Run, pins: Pins): Promise<Record<string, string>> {
  const rollout = await run.state.rollout(run.epoch);
  // What is open is open to everybody: a service that is started again there takes nothing from anybody.
  if (rollout?.plan.fenceData === true && rollout.state !== "open")
    await step(run, "resume", "let the services in", () => admitServices(run));
  const target = targetOf(run.site, run.definition);
  const states: Record<string, string> = {};
  for (const component of ordered(run.definition).reverse()) {
    const pin = pins.components[component];
    if (pin === undefined) continue;
    await step(
      run,
      "resume",
      pin.run ? `${component} ${pin.release}` : `${component} stays off`,
      async () => {
        const state = pin.run ? await target.resume(component, pin) : await target.stop(component);
        const observed = await target.observe(component);
        if (pin.run && !observed.asPinned(pin)) throw new WrongReleaseError(component, pin.release, observed.release);
        states[component] = state;
        return state;
      },
      // An attempt to verify asks what this run has started.
      (state) => (state === "started" ? { started: component } : { state }),
    );
  }
  // No verification follows where users are in already.
  if (rollout?.state === "open")
    await step(run, "resume", STAY_UP, async () => staySteady(run, pins, await running(run, pins), settleMs(run.definition, true)));
  return states;
}

async function admitServices(run: Run): Promise<void> {
  for (const database of Object.keys(run.definition.databases))
    await (await engineOf(run.definition, database)).admit(run, database, "services");
}
