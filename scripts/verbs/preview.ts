/** `backout preview`: what a rollback or a changed stack file would do, told without touching anything. */
import { relative } from "node:path";
import type { Command } from "commander";
import { constraintDrift } from "../../rollout/constraint-drift.ts";
import { drift } from "../../rollout/drift.ts";
import { frozen, showFreeze } from "../../rollout/freeze.ts";
import { gateRuns } from "../../rollout/gate.ts";
import { look } from "../../rollout/look.ts";
import { carryRefusals, maintenanceLine, previewCrossing, previewLines, type CrossingPreview } from "../../rollout/preview.ts";
import { refusals } from "../../rollout/refusals.ts";
import { changedLines, type LineChange } from "../../config/edit.ts";
import { crossingOf, type Maintenance } from "../../config/pins.ts";
import type { Freeze } from "../../config/schema.ts";
import { rehearsedSeconds } from "../../drill/rehearsed.ts";
import { nextCrossing } from "../../provider/resources/fence.ts";
import { gateChanges } from "../../provider/resources/traffic-gate.ts";
import { standingOf } from "../pulumi/standing.ts";
import { openStack, stackFile, type OpenStack } from "../pulumi/stack.ts";
import { rollbackText } from "./rollback-pins.ts";
import { colour, finish, print, type CommonOptions } from "../pulumi/outcome.ts";

interface Options extends CommonOptions {
  to?: string;
  scope?: string;
  component?: string;
  exact?: boolean;
  carry?: string;
  snapshot?: string;
  with?: string[];
}

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
  /** What is declared is what was opened last: there is no crossing to be made. */
  settled: boolean;
  /** Where it is settled: what is otherwise than declared and put right by an update, in words. */
  drifted: string[];
  /** Null where the database cannot be reached, where it would be refused, and where it is settled. */
  preview: CrossingPreview | null;
}

/** @param before the stack as it is; @param after with the pins as they would be. */
export async function previewOf(before: OpenStack, after: OpenStack, exact: boolean): Promise<PreviewOutcome> {
  const lines = changedLines(before.text, after.text);
  const freeze = after.declared.freeze ?? null;
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
  const facts = await look(site, definition);
  if (facts.reach.kind === "unreachable") return { ...told, reached: false, unknown: facts.reach.reason };
  if (facts.last?.state === "open" && facts.last.crossing === crossingOf(pins) && before.site.target === site.target)
    return { ...told, settled: true, drifted: await driftOf(after) };
  const refused = [
    ...frozen(freeze, facts, pins, asked, after),
    ...(await refusals(site, definition, pins, facts, asked, after.declared.violations, before.site)),
  ];
  if (refused.length > 0) return { ...told, refused };
  const { plan } = nextCrossing(facts, definition, pins, asked, true);
  const preview = await previewCrossing(site, definition, plan, {
    exact: exact || after.declared.exact,
    reached: facts.reach.kind === "reached",
    before: before.site,
    carry: after.declared.carry,
    maintenance: pins.maintenance,
    rehearsed: rehearsedSeconds,
  });
  const lossy = carryRefusals(preview, after.declared.carry);
  return lossy.length > 0 ? { ...told, refused: lossy } : { ...told, preview };
}

async function driftOf(stack: OpenStack): Promise<string[]> {
  const { site, definition, pins } = stack;
  return [
    ...(gateRuns(site) ? [] : ["the traffic gate does not run, so that nobody gets through: `up` starts it"]),
    ...(await gateChanges(site)),
    ...(await drift(stack, pins)).map((component) => `${component} does not run as pinned: \`up\` puts it right`),
    ...(await constraintDrift(site, definition, pins)),
  ];
}

export function tellPreview(outcome: PreviewOutcome, print: (line: string) => void): void {
  const paint = colour();
  const warn = (line: string): void => print(paint?.yellow(`! ${line}`) ?? `! ${line}`);
  for (const line of outcome.lines.removed.filter((text) => text.trim() !== "")) print(paint?.red(`- ${line}`) ?? `- ${line}`);
  for (const line of outcome.lines.added.filter((text) => text.trim() !== "")) print(paint?.green(`+ ${line}`) ?? `+ ${line}`);
  if (outcome.unknown !== null)
    warn(`data at risk is unknown, and an update without reach fails before anything stops: ${outcome.unknown}`);
  if (outcome.freeze !== null) warn(showFreeze(outcome.freeze));
  for (const reason of outcome.refused) print(paint?.red(`refused: ${reason}`) ?? `refused: ${reason}`);
  if (outcome.settled) print("  nothing to change: this is how the stack was opened last");
  if (outcome.settled && outcome.maintenance.mode !== "off") warn(maintenanceLine(outcome.maintenance));
  for (const line of outcome.drifted) warn(line);
  if (outcome.preview !== null)
    for (const { severity, line } of previewLines(outcome.preview))
      if (severity === "warning") warn(line);
      else print(`  ${line}`);
}

export function addPreview(program: Command): void {
  program
    .command("preview")
    .description(
      "tell what a rollback (--scope, --to, …) or, without any of these, the stack file as it stands would do: changes, rows at risk, what cannot come back, time; touches nothing",
    )
    .option("-s, --stack <name>", "stack (the only one there is, unless given)")
    .option("--to <release>", "release to go back to")
    .option("--scope <name>", "scope of the rollback; the system's default unless given")
    .option("--component <name>", "component of a scope that is for one")
    .option("--snapshot <name@n>", "exact snapshot for scopes that restore data")
    .option("--with <name=value...>", "arguments of the repair, for scopes that mend data in place")
    .option(
      "--carry <what>",
      "rows written since: export, reapply (put back what the older schema holds) or refuse; as declared unless given",
    )
    .option("--exact", "count rows at risk one by one, also in large tables")
    .option("--json", "one JSON document on standard output")
    .action(async (options: Options) => {
      await finish(
        options.json,
        async () => {
          const found = stackFile(options.stack);
          const before = await openStack(found);
          const wished = [options.to, options.scope, options.component, options.with, options.carry, options.snapshot];
          const after = wished.every((wish) => wish === undefined)
            ? before
            : await openStack(found, await rollbackText(before, { ...options, assume: true }, await standingOf(before)));
          return previewOf(before, after, options.exact === true);
        },
        (outcome) => tellPreview(outcome, (line) => print(`${line}\n`)),
        ({ refused }) => (refused.length === 0 ? true : "refused"),
      );
    });
}
