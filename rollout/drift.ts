/** What really runs against what is pinned. */
import { targetOf } from "../workloads/index.ts";
import type { Pins } from "../config/pins.ts";
import type { Run } from "../config/run.ts";

/** Components that are not as pinned. */
export async function drift(run: Pick<Run, "site" | "definition">, pins: Pins): Promise<string[]> {
  const target = targetOf(run.site, run.definition);
  const drifted: string[] = [];
  for (const [component, pin] of Object.entries(pins.components)) {
    const kind = run.definition.components[component]?.kind;
    const observed = await target.observe(component);
    if (pin.run ? !observed.running || !observed.asPinned(pin) : observed.running && kind !== "static") drifted.push(component);
  }
  return drifted;
}
