/** What really runs against what is pinned. */
import { targetOf } from "../workloads/index.ts";
import { gateStateFile } from "../config/site.ts";
import { upstreamOf } from "../traffic/upstreams.ts";
import type { Pins } from "../config/pins.ts";
import type { Run } from "../config/run.ts";

/** Services that are not as pinned. */
export async function drift(run: Pick<Run, "site" | "definition">, pins: Pins): Promise<string[]> {
  const target = targetOf(run.site, run.definition);
  const drifted: string[] = [];
  for (const [service, pin] of Object.entries(pins.services)) {
    const kind = run.definition.services[service]?.kind;
    const observed = await target.observe(service);
    const elsewhere = (observed.port ?? null) !== upstreamOf(gateStateFile(run.site), service);
    if (pin.run ? !observed.running || !observed.asPinned(pin) || elsewhere : observed.running && kind !== "static") drifted.push(service);
  }
  return drifted;
}
