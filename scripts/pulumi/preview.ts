/** What the stack file as it would stand does, whoever asks: the verb, the drill, the tests of damaged files. */
import { type LineChange, changedLines } from "../../config/edit.ts";
import { type Maintenance, rolloutOf } from "../../config/pins.ts";
import type { Freeze } from "../../config/schema.ts";
import { type RolloutPreview, previewRollout, newWritesRefusals } from "../../rollout/preview.ts";
import type { OpenStack } from "./stack.ts";
import { relative } from "node:path";
import { inspect, nextRollout } from "../../rollout/inspect.ts";
import { frozen } from "../../rollout/freeze.ts";
import { refusals } from "../../rollout/refusals.ts";
import { rehearsedSeconds } from "../../state/drill-reports/rehearsed.ts";
import { gateRuns } from "../../rollout/gate.ts";
import { gateChanges } from "../../provider/resources/traffic-gate.ts";
import { drift } from "../../rollout/drift.ts";
import { constraintDrift } from "../../rollout/constraint-drift.ts";

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
  /** Where it is settled: what is otherwise than declared and put right by an update, in words. */
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
  const { site, definition, pins, asked } = after;
  const facts = await inspect(site, definition);
  if (facts.reach.kind === "unreachable") return { ...told, reached: false, unknown: facts.reach.reason };
  if (facts.last?.state === "open" && facts.last.rollout === rolloutOf(pins) && before.site.target === site.target)
    return { ...told, settled: true, drifted: await driftOf(after) };
  const refused = [
    ...frozen(freeze, facts, pins, asked, after),
    ...(await refusals(site, definition, pins, facts, asked, after.config.violations, before.site)),
  ];
  if (refused.length > 0) return { ...told, refused };
  const { plan } = nextRollout(facts, definition, pins, asked, true);
  const preview = await previewRollout(site, definition, plan, {
    exact: exact || after.config.exact,
    reached: facts.reach.kind === "reached",
    before: before.site,
    newWrites: after.config.newWrites,
    maintenance: pins.maintenance,
    rehearsed: rehearsedSeconds,
  });
  const lossy = newWritesRefusals(preview, after.config.newWrites, facts.last?.rollout === rolloutOf(pins));
  return lossy.length > 0 ? { ...told, refused: lossy } : { ...told, preview };
}

async function driftOf(stack: OpenStack): Promise<string[]> {
  const { site, definition, pins } = stack;
  return [
    ...(gateRuns(site) ? [] : ["the traffic gate does not run, so that nobody gets through: `up` starts it"]),
    ...(await gateChanges(site)),
    ...(await drift(stack, pins)).map((service) => `${service} does not run as pinned: \`up\` puts it right`),
    ...(await constraintDrift(site, definition, pins)),
  ];
}
