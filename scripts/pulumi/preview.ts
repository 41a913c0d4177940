/** What an update to an edited stack file would do. */
import { type LineChange, changedLines } from "../../config/edit.ts";
import type { Maintenance } from "../../config/pins.ts";
import type { Freeze } from "../../config/schema.ts";
import type { RolloutPreview } from "../../rollout/preview.ts";
import type { OpenStack } from "./stack.ts";
import { inWords } from "../../config/errors.ts";
import { relative } from "node:path";
import { assess } from "../../rollout/assess.ts";
import { gateRuns, trafficDrift } from "../../rollout/gate.ts";
import { gateChanges } from "../../provider/resources/traffic-gate.ts";
import { constraintDrift } from "../../rollout/constraint-drift.ts";
import { takenListeners } from "../../workloads/taken-ports.ts";

export interface PreviewOutcome {
  stack: string;
  /** The stack file, relative to the project. */
  file: string;
  /** Lines of the stack file that would change. */
  lines: LineChange;
  reached: boolean;
  /** Why data at risk is unknown; null where the database was reached. */
  unknown: string | null;
  /** Why it would be refused; empty when it would not. */
  refused: string[];
  maintenance: Maintenance;
  /** Nothing newer may be deployed afterwards; null: nothing is frozen. */
  freeze: Freeze | null;
  /** What is declared is what was opened last: there is no rollout to be made. */
  settled: boolean;
  /** Where it is settled: what differs from what is declared, and an update corrects, in words. */
  drifted: string[];
  /** Null where the database cannot be reached, where it would be refused, and where it is settled. */
  preview: RolloutPreview | null;
}

/** @param before the stack as it is; @param after with the pins as they would be. */
export async function previewOf(before: OpenStack, after: OpenStack, exact: boolean): Promise<PreviewOutcome> {
  const lines = changedLines(before.text, after.text);
  const freeze = after.config.freeze ?? null;
  const file = relative(after.project, after.file);
  const told = {
    stack: after.stack,
    file,
    lines,
    reached: true,
    unknown: null,
    refused: [],
    maintenance: after.pins.maintenance,
    freeze,
    settled: false,
    drifted: [],
    preview: null,
  };
  const { config, site, definition, pins, asked } = after;
  const assessed = await assess({
    ...{ site, definition, pins, asked, freeze },
    newWrites: config.newWrites,
    violations: config.violations,
    exact: exact || config.exact,
    before: before.site,
  });
  const { unreached, unseen, settled, refused, preview } = assessed;
  if (unreached !== null) return { ...told, reached: false, unknown: unreached };
  const drifted = settled ? await driftOf(after, assessed) : [];
  // The engine asks the gate's own resource, which stands before the plan.
  const taken = await takenListeners(site, definition);
  return { ...told, settled, drifted, preview, refused: [...(settled && unseen !== null ? [unseen] : refused), ...taken] };
}

interface Drift {
  adopted?: true;
  drifted: string[];
}

async function driftOf({ site, definition, pins }: OpenStack, { adopted, drifted: services }: Drift): Promise<string[]> {
  if (adopted === true && !gateRuns(site))
    return [
      `adopted, and run outside of backout until the next deployment, which builds and starts ${inWords([...services, "the traffic gate"])} beside what ` +
        "runs: users are not kept out, but where a port has to be freed first, nobody answers there until its service has started",
    ];
  return [
    ...(gateRuns(site) ? [] : ["the traffic gate does not run, so that users are kept out: `up` starts it"]),
    ...(await gateChanges(site)),
    ...[await trafficDrift(site, definition)].filter((line) => line !== null),
    ...services.map((service) => `${service} does not run as pinned: \`up\` corrects it`),
    ...(await constraintDrift(site, definition, pins)),
  ];
}
