import { loadEngines } from "../../databases/registry.ts";
import type { Site } from "../../config/site.ts";
import type { SystemDefinition } from "../../config/system/definition.ts";

/** The steps that come after the plan, and what they make requests with. Loaded while the engine and the databases are busy with the steps before them. */
const STEPS: (() => Promise<unknown>)[] = [
  () => import("../../rollout/steps/fence.ts"),
  // What is behind `fetch` is loaded when one of its names is first used.
  () => Promise.resolve(Headers),
  () => import("../../rollout/steps/data.ts"),
  () => import("../../rollout/steps/start.ts"),
  () => import("../../rollout/steps/verify.ts"),
  () => import("../../rollout/steps/open.ts"),
  () => import("../../rollout/steps/finalize.ts"),
];

/** Returns at once. What cannot be loaded is reported by the resource that needs it. */
export function loadComing(site: Site, definition: SystemDefinition): void {
  void [() => loadEngines({ site, definition }), ...STEPS]
    .reduce((before, step) => before.then(step), Promise.resolve<unknown>(undefined))
    .catch(() => undefined);
}
