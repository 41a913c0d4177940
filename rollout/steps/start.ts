/** Makes every service run that should run, and none that should not; looks at what really runs. */
import type { Pins } from "../../config/pins.ts";
import { gateStateFile } from "../../config/site.ts";
import { setUpstream } from "../../traffic/upstreams.ts";
import { targetOf } from "../../workloads/index.ts";
import { fenceOf } from "../../databases/registry.ts";
import { ordered } from "../../config/make-plan.ts";
import { running, settleMs, staySteady } from "../verification/steady.ts";
import { step } from "../run.ts";
import type { Run } from "../../config/run.ts";
import { STAY_UP } from "./verify.ts";

const phase = "start";

/** A service runs another release than its pin says. */
export class WrongReleaseError extends Error {
  readonly service: string;
  readonly pinned: string;
  readonly running: string | null;
  constructor(service: string, pinned: string, running: string | null, note?: string) {
    super(`${service} is pinned to ${pinned} but ${running ?? "nothing"} runs${note === undefined ? "" : `: ${note}`}`);
    this.name = "WrongReleaseError";
    this.service = service;
    this.pinned = pinned;
    this.running = running;
  }
}

export async function startServices(run: Run, pins: Pins): Promise<Record<string, string>> {
  const rollout = await run.state.rollout(run.epoch);
  // What is open is open to everybody: a service that is started again there takes nothing from anybody.
  if (rollout?.plan.fenceData === true && rollout.state !== "open")
    await step(
      run,
      { phase, kind: "admit", name: "let the services in" },
      () => admitServices(run),
      () => null,
    );
  const target = targetOf(run.site, run.definition);
  const states: Record<string, string> = {};
  for (const service of ordered(run.definition).reverse()) {
    const pin = pins.services[service];
    if (pin === undefined) continue;
    await step(
      run,
      { phase, kind: "start", name: pin.run ? `${service} ${pin.release}` : `${service} stays off` },
      async () => {
        const state = pin.run ? await target.start(service, pin) : await target.stop(service);
        const observed = await target.observe(service);
        if (pin.run && !observed.asPinned(pin)) throw new WrongReleaseError(service, pin.release, observed.release, observed.note);
        if (pin.run) setUpstream(gateStateFile(run.site), service, observed.port ?? null);
        states[service] = state;
        return state;
      },
      // An attempt to verify asks what this run has started.
      (state) => ({ service, state }),
    );
  }
  // No verification follows where users are in already.
  if (rollout?.state === "open")
    await step(
      run,
      { phase, kind: "stay-up", name: STAY_UP },
      async () => staySteady(run, pins, await running(run, pins), settleMs(run.definition, true)),
      (seen) => seen,
    );
  return states;
}

async function admitServices(run: Run): Promise<void> {
  for (const database of Object.keys(run.definition.databases)) await (await fenceOf(run, database)).admit(run, database, "services");
}
