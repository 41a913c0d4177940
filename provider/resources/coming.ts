import { enginesOf } from "../../crossing/engine.ts";
import type { Site } from "../../declared/site.ts";
import type { SystemDefinition } from "../../systems/definition.ts";

/** The steps that come after the plan, and what they make requests with. Loaded while the engine and the databases are busy with the steps before them. */
const STEPS: (() => Promise<unknown>)[] = [
  () => import("../../crossing/steps/fence.ts"),
  // What is behind `fetch` is loaded when one of its names is first used.
  () => Promise.resolve(Headers),
  () => import("../../crossing/steps/data.ts"),
  () => import("../../crossing/steps/resume.ts"),
  () => import("../../crossing/steps/verify.ts"),
  () => import("../../crossing/steps/open.ts"),
  () => import("../../crossing/steps/record.ts"),
];

/** Comes back at once. What cannot be loaded is told by the resource that needs it. */
export function loadComing(site: Site, definition: SystemDefinition): void {
  const engines = async () => Promise.all((await enginesOf(definition)).map(({ engine }) => engine.load({ site })));
  void [engines, ...STEPS].reduce((before, step) => before.then(step), Promise.resolve<unknown>(undefined)).catch(() => undefined);
}
