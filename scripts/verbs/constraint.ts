/** `backout constraint`: list constraints, or pin them as dropped or enforced and run `pulumi up`. */
import type { Command } from "commander";
import { quoted } from "../../config/commands.ts";
import { newRunId } from "../../config/run-id.ts";
import { constraintEdits } from "../../config/constraints.ts";
import { editPins } from "../../config/edit.ts";
import { canonical } from "../../config/pins.ts";
import type { ConstraintState } from "../../config/system/constraint.ts";
import type { RolloutOutcome } from "../pulumi/roll-out.ts";
import { withStackLock } from "../pulumi/stack-lock.ts";
import { askedBefore, requireDeployed, requireSettled, standingOf, textOf } from "../pulumi/standing.ts";
import { openStack, stackFile } from "../pulumi/stack.ts";
import { startStoppedServer } from "../pulumi/embedded-server.ts";
import { carryOut, previewPins, reasonOf } from "./carry-out.ts";
import { constraintRows, requireKnown, type ConstraintRow } from "./constraint-states.ts";
import { finish, print, type CommonOptions } from "../pulumi/outcome.ts";
import { UsageError } from "../../config/errors.ts";
import type { PreviewOutcome } from "../pulumi/preview.ts";
import { tellTimeline } from "./timeline.ts";

interface Options extends CommonOptions {
  unvalidated?: boolean;
  definition?: string;
  incident?: string;
  reason?: string;
  anew?: boolean;
  yes?: boolean;
}

async function listConstraints(options: CommonOptions): Promise<{ stack: string; constraints: ConstraintRow[] }> {
  const stack = await openStack(stackFile(options.stack));
  return { stack: stack.stack, constraints: await constraintRows(stack) };
}

async function pinConstraints(
  action: "drop" | "enforce",
  names: string[],
  options: Options,
): Promise<RolloutOutcome & { preview: PreviewOutcome }> {
  const before = await openStack(stackFile(options.stack));
  requireKnown(before, names);
  if (names.length === 0) throw new UsageError(`name the constraints to ${action}`);
  if (options.definition !== undefined && names.length !== 1) throw new UsageError("--definition is for one constraint");
  const state: ConstraintState = action === "drop" ? "dropped" : options.unvalidated === true ? "unvalidated" : "enforced";
  const change = options.definition === undefined ? { state } : { state, definition: options.definition };
  const text = editPins(before.text, constraintEdits(before.config, Object.fromEntries(names.map((name) => [name, change]))));
  const runId = newRunId("constraint");
  return withStackLock(before.site, `constraint ${action} ${names.join(" ")}`, runId, async () => {
    await startStoppedServer(before.site);
    const standing = await standingOf(before);
    requireDeployed(before, standing);
    const goal = canonical({ action, names, ...change });
    const begun = options.anew === true ? null : askedBefore(standing, "constraint", goal);
    if (begun === null) requireSettled(standing, options.anew);
    const { after, preview } = await previewPins(before, begun === null ? text : textOf(before, begun));
    const asked = { verb: "constraint" as const, goal, words: constraintWords(action, names, options) };
    const outcome = await carryOut({ before, after, preview, standing, runId, reason: reasonOf(options), yes: options.yes, asked });
    return { ...outcome, preview };
  });
}

/** The words that request the same again. */
export function constraintWords(
  action: "drop" | "enforce",
  names: readonly string[],
  { unvalidated, definition }: Pick<Options, "unvalidated" | "definition">,
): string {
  return [
    "constraint",
    action,
    ...names.map(quoted),
    ...(unvalidated === true ? ["--unvalidated"] : []),
    ...(definition === undefined ? [] : ["--definition", quoted(definition)]),
  ].join(" ");
}

function tellRows({ constraints }: { constraints: ConstraintRow[] }): void {
  for (const { name, table, risk, priority, declared, found, offered } of constraints) {
    const state =
      found === null
        ? `declared ${declared}, actual state unknown`
        : found === declared
          ? found
          : `${found}, declared ${declared}: DRIFTED`;
    print(`${String(priority)}  ${risk.padEnd(6)}  ${name} on ${table}: ${state}${offered ? "; ready for recovery" : ""}\n`);
  }
}

export function addConstraint(program: Command): void {
  const constraint = program.command("constraint").description("list constraints; drop or enforce them as pins of the stack");
  constraint
    .command("list", { isDefault: true })
    .description("declared and actual state of each constraint, in drop order")
    .option("-s, --stack <name>", "stack (default: the only one)")
    .option("--json", "one JSON document on standard output")
    .action(async (options: CommonOptions) => finish(options.json, () => listConstraints(options), tellRows));
  for (const action of ["drop", "enforce"] as const) {
    const command = constraint
      .command(`${action} <name...>`)
      .description(
        action === "drop"
          ? "stop production, save the definitions, drop these one by one; those of HIGH risk only after a snapshot"
          : "enforce these again, lowest risk first; stop at the first that the data violates",
      )
      .option("-s, --stack <name>", "stack (default: the only one)")
      .option("--incident <id>", "incident, for the record")
      .option("--reason <text>", "reason, for the record")
      .option("--anew", "give up an unfinished rollout")
      .option("-y, --yes", "do not ask")
      .option("--json", "one JSON document on standard output, progress on standard error");
    if (action === "enforce")
      command
        .option("--unvalidated", "for new rows only")
        .option("--definition <sql>", "with another text than before: what follows ADD CONSTRAINT <name>");
    command.action(async (names: string[], options: Options) =>
      finish(
        options.json,
        () => pinConstraints(action, names, options),
        tellTimeline,
        ({ ok }) => ok,
      ),
    );
  }
  for (const command of constraint.commands) command.exitOverride();
}
