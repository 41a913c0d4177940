/** `backout recover`: enforces dropped constraints again, lowest risk first, after an assessment. */
import type { Command } from "commander";
import { quoted } from "../../config/commands.ts";
import { finished, type ConstraintDone } from "../../config/journal.ts";
import { newRunId } from "../../config/run-id.ts";
import { constraintDrift } from "../../rollout/constraint-drift.ts";
import { openState } from "../../databases/open-state.ts";
import type { Intent } from "../../state/intent.ts";
import { constraintEdits } from "../../config/constraints.ts";
import { editPins, type PinEdit } from "../../config/edit.ts";
import { NAMESPACE, RefusedError } from "../../config/errors.ts";
import { canonical } from "../../config/pins.ts";
import { configOf } from "../../config/stack-text.ts";
import { tellViolations } from "../../databases/shared/constraints.ts";
import type { RolloutOutcome } from "../pulumi/roll-out.ts";
import { withStackLock } from "../pulumi/stack-lock.ts";
import { askedBefore, hasFailed, requireDeployed, requireSettled, standingOf } from "../pulumi/standing.ts";
import { openStack, stackFile, writeStack, type OpenStack } from "../pulumi/stack.ts";
import { startStoppedServer } from "../pulumi/embedded-server.ts";
import { carryOut, previewPins } from "./carry-out.ts";
import { constraintRows, readiness, requireConstraints, requireKnown, type ConstraintRow, type Readiness } from "./constraint-states.ts";
import { finish, print, say, type CommonOptions } from "../pulumi/outcome.ts";
import { previewOf } from "../pulumi/preview.ts";
import { tellTimeline } from "./timeline.ts";

interface Options extends CommonOptions {
  constraint?: string[];
  quarantine?: boolean;
  assess?: boolean;
  reason?: string;
  anew?: boolean;
  yes?: boolean;
}

export interface RecoverOutcome {
  stack: string;
  readiness: Readiness;
  /** Null: nothing to do, or only the assessment was requested. */
  rollout: RolloutOutcome | null;
  /** Constraints that were enforced again, in order. */
  recovered: ConstraintDone[];
  /** Not as declared afterwards; empty when all went well. */
  left: string[];
}

async function recover(options: Options): Promise<RecoverOutcome> {
  const before = await openStack(stackFile(options.stack));
  requireConstraints(before);
  requireKnown(before, options.constraint ?? []);
  const runId = newRunId("recover");
  return withStackLock(before.site, "recover", runId, async () => {
    await startStoppedServer(before.site);
    const standing = await standingOf(before);
    requireDeployed(before, standing);
    const goal = canonical(options.constraint ?? null);
    const begun = askedBefore(standing, "recover", goal);
    if (options.assess !== true && begun === null) requireSettled(standing, options.anew, hasFailed);
    const rows = await constraintRows(before);
    if (rows.some((row) => row.found === null)) throw new RefusedError("the database is unreachable; nothing was changed");
    const names = candidates(before, rows, options.constraint);
    const ready = await readiness(before, names);
    tellReadiness(ready, say);
    const nothing = { stack: before.stack, readiness: ready, rollout: null, recovered: [], left: [] };
    if (options.assess === true) return nothing;
    const ordered = options.quarantine === true;
    // `--quarantine` holds for this run only, also if an interruption left it in the stack file.
    const settle = (): void => (ordered ? pinViolations(before, violationsBefore(before, begun)) : undefined);
    if (names.length === 0) settle();
    if (names.length === 0) return nothing;
    const plain = editPins(before.text, recoveryEdits(before, names));
    const text = ordered ? editPins(plain, [{ path: ["violations"], value: "quarantine" }]) : plain;
    const { after, preview } = await ahead(before, text, plain === before.text);
    const asked = { verb: "recover" as const, goal, words: recoverWords(options) };
    const reason = options.reason ?? "recovery of constraints";
    const rollout = await carryOut({ before, after, preview, standing, runId, reason, yes: options.yes, asked });
    if (rollout.ok) settle();
    const left = await constraintDrift(after.site, after.definition, after.pins);
    return { ...nothing, rollout, recovered: await stepsOf(after, runId, rollout.epoch), left };
  });
}

/** If only the system catalog differs from the pins, no new rollout is reported. */
async function ahead(before: OpenStack, text: string, same: boolean): ReturnType<typeof previewPins> {
  if (!same) return previewPins(before, text);
  const after = await openStack(before, text);
  return { after, preview: await previewOf(before, after, false) };
}

/** The words that request the same again. */
export function recoverWords({ constraint = [], quarantine }: Pick<Options, "constraint" | "quarantine">): string {
  const names = constraint.flatMap((name) => ["--constraint", quoted(name)]);
  return ["recover", ...names, ...(quarantine === true ? ["--quarantine"] : [])].join(" ");
}

/** The pin as it was before the recovery: written out, or absent. */
function violationsBefore({ text }: OpenStack, begun: Intent | null): unknown {
  return begun === null ? configOf(text)[`${NAMESPACE}:violations`] : (begun.before["violations"] ?? undefined);
}

function pinViolations({ stack, project }: OpenStack, value: unknown): void {
  const now = stackFile(stack, project);
  const text = editPins(now.text, [{ path: ["violations"], value }]);
  if (text !== now.text) writeStack(now, text);
}

/** The named ones; else all of the release that are not enforced, by pin or by hand. */
function candidates({ config }: OpenStack, rows: readonly ConstraintRow[], named: readonly string[] | undefined): string[] {
  const ledger = config.releases[config.release]?.constraints ?? {};
  return rows
    .filter(
      ({ name, found, declared: pin }) =>
        (named === undefined ? (ledger[name] ?? "enforced") === "enforced" : named.includes(name)) &&
        !(found === "enforced" && pin === "enforced"),
    )
    .map(({ name }) => name);
}

function recoveryEdits({ config, pins }: OpenStack, names: readonly string[]): PinEdit[] {
  return constraintEdits(
    config,
    Object.fromEntries(
      names.map((name) => {
        const definition = pins.definitions?.[name];
        return [name, definition === undefined ? { state: "enforced" as const } : { state: "enforced" as const, definition }];
      }),
    ),
  );
}

async function stepsOf({ site, definition }: OpenStack, runId: string, epoch: number | null): Promise<ConstraintDone[]> {
  const state = await openState(site, definition);
  if (state === null || epoch === null) return [];
  try {
    const ours = finished(await state.journal(epoch), "constraint").filter((entry) => entry.runId === runId);
    return ours.map(({ detail }) => detail).filter((done) => done.state !== "dropped");
  } finally {
    await state.end();
  }
}

function tellReadiness({ candidates: names, assessments }: Readiness, print: (line: string) => void): void {
  if (names.length === 0) print("every constraint of the release is enforced");
  for (const { name, table, risk, offered, violations, problem } of names) {
    const state =
      problem ?? (violations === null || violations.count === 0 ? "ready" : `NOT ready: ${tellViolations(violations)} violate it`);
    print(`${risk.padEnd(6)}  ${name} on ${table}: ${state}${offered ? "" : "; its drop is not recorded"}`);
  }
  for (const { title, passed, rows } of assessments) {
    print(`${title}: ${passed ? "passed" : "FAILED"}`);
    for (const { name, result, detail } of rows) if (result !== "PASS") print(`  ${result}  ${name}: ${detail}`);
  }
}

function tell(outcome: RecoverOutcome): void {
  if (outcome.rollout === null) return;
  for (const { name, table, how, quarantined } of outcome.recovered) {
    print(`${name} on ${table}: ${how}\n`);
    for (const { table: from, into, rows } of quarantined) print(`  ${rows} rows of ${from} moved to ${into}\n`);
  }
  for (const line of outcome.left) print(`${line}\n`);
  tellTimeline(outcome.rollout);
}

export function addRecover(program: Command): void {
  program
    .command("recover")
    .description("enforce dropped constraints again, lowest risk first; stop at the first one that the data violates")
    .option("-s, --stack <name>", "stack (default: the only one)")
    .option("--constraint <name...>", "only these (default: all of the release)")
    .option("--quarantine", "move rows that violate a constraint, and rows that refer to them, to <table>_quarantine_<n>")
    .option("--assess", "only show which rows violate constraints; change nothing")
    .option("--reason <text>", "reason, for the record")
    .option("--anew", "give up an unfinished rollout")
    .option("-y, --yes", "do not ask")
    .option("--json", "one JSON document on standard output, progress on standard error")
    .action(async (options: Options) =>
      finish(
        options.json,
        () => recover(options),
        tell,
        ({ rollout, left }) => rollout === null || (rollout.ok && left.length === 0),
      ),
    );
}
