/** One service's pinned artefact, put in place without being started. */
import { targetOf } from "../../workloads/index.ts";
import { step } from "../../rollout/run.ts";
import { canonical } from "../../config/pins.ts";
import { definitionOf } from "../../config/site.ts";
import type { ServiceInputs } from "../../config/resources.ts";
import type { Call, Resource, Values } from "../resource.ts";
import { runFor } from "../rollout-run.ts";

async function install({ site, epoch, service: name, pin }: ServiceInputs, call: Call): Promise<Values> {
  const run = await runFor({ site, epoch, what: name }, call, ({ services }) => services[name], pin);
  const installed = await step(
    run,
    { phase: "install", kind: "install", name },
    () => targetOf(site, run.definition).install(name, pin),
    (done) => done,
  );
  return { installed };
}

export const service: Resource<ServiceInputs> = {
  token: "backout:index:Service",
  diff: async (old, inputs) => Promise.resolve(canonical(old.pin) !== canonical(inputs.pin)),
  create: install,
  update: async (_old, inputs, call) => install(inputs, call),
  /** It is stopped already, unless a first Start was killed before the engine recorded it. */
  delete: async ({ site, service: name }, call) => {
    await targetOf(site, await definitionOf(site))
      .stop(name)
      .catch((error: unknown) => call.log("warning", `${name} may still run: ${(error as Error).message}`));
  },
};
