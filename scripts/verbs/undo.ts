/** `backout undo`: reverts the last rollback, with preview and question like a rollback. */
import type { Command } from "commander";
import { newRunId } from "../../config/run-id.ts";
import { commandOf } from "../../config/commands.ts";
import { changedLines, editPins, type LineChange } from "../../config/edit.ts";
import { RefusedError, UsageError } from "../../config/errors.ts";
import type { Intent } from "../../state/intent.ts";
import { NEW_WRITES_IN_WORDS, requireNewWrites } from "../pulumi/rollback-pins.ts";
import type { RolloutOutcome } from "../pulumi/roll-out.ts";
import { startStoppedServer } from "../pulumi/embedded-server.ts";
import { withStackLock } from "../pulumi/stack-lock.ts";
import { askedBefore, requireDeployed, standingOf, textOf, type Standing } from "../pulumi/standing.ts";
import { openStack, stackFile, type OpenStack } from "../pulumi/stack.ts";
import { carryOut, previewPins, reasonOf } from "./carry-out.ts";
import { finish, print, type CommonOptions } from "../pulumi/outcome.ts";
import type { PreviewOutcome } from "../pulumi/preview.ts";
import { tellTimeline } from "./timeline.ts";
import { undoText } from "./undo-pins.ts";

interface Options extends CommonOptions {
  incident?: string;
  reason?: string;
  anew?: boolean;
  newWrites?: string;
  exact?: boolean;
  yes?: boolean;
}

export interface Undo {
  /** The command that undoes it, as typed here. */
  command: string;
  /** The lines of the stack file that, with an update, do the same. */
  lines: LineChange;
}

export interface UndoOutcome extends RolloutOutcome {
  preview: PreviewOutcome;
  undo: Undo | null;
}

async function undo(options: Options): Promise<UndoOutcome> {
  const before = await openStack(stackFile(options.stack));
  const runId = newRunId("undo");
  const reason = reasonOf(options);
  return withStackLock(before.site, "undo", runId, async () => {
    await startStoppedServer(before.site);
    const standing = await standingOf(before);
    requireDeployed(before, standing);
    const goal = options.anew === true ? "anew" : "";
    // A finished `undo --anew` is undone the next time; an unfinished one is resumed.
    const begun = options.anew === true && standing.pending === null ? null : askedBefore(standing, "undo", goal);
    if (begun !== null) requireSameWrites(begun, standing, options);
    const text = begun === null ? withNewWrites(await undoText(before, standing), options) : textOf(before, begun);
    if (begun === null) await requireDataBack(before, text, options);
    const { after, preview } = await previewPins(before, text, options.exact);
    const asked = { verb: "undo" as const, goal, words: wordsOf(options) };
    const outcome = await carryOut({ before, after, preview, standing, runId, reason, yes: options.yes, asked });
    return { ...outcome, preview, undo: outcome.ok ? await undoOf(before, " --anew") : null };
  });
}

function wordsOf({ anew, newWrites }: Options): string {
  return ["undo", ...(anew === true ? ["--anew"] : []), ...(newWrites === undefined ? [] : ["--new-writes", newWrites])].join(" ");
}

/** What was begun goes on as it was begun. @throws RefusedError */
function requireSameWrites({ edits }: Intent, { pending }: Standing, { newWrites }: Options): void {
  if (newWrites === undefined || edits.some(({ path: [key], value }) => key === "newWrites" && value === newWrites)) return;
  throw new RefusedError(
    pending === null
      ? `this undo is done already: --new-writes ${newWrites} has no rows to ask for; leave it away, or go back with --anew; nothing was changed`
      : `${pending.title}, and was begun without --new-writes ${newWrites}: finish it with \`${pending.command}\`; nothing was changed`,
  );
}

function withNewWrites(text: string, { newWrites }: Options): string {
  if (newWrites === undefined) return text;
  requireNewWrites(newWrites);
  return editPins(text, [{ path: ["newWrites"], value: newWrites }]);
}

/** @throws UsageError where no data goes back */
async function requireDataBack(before: OpenStack, text: string, { newWrites }: Options): Promise<void> {
  if (newWrites === undefined || newWrites === "export") return;
  const { pins } = await openStack(before, text);
  if (Object.values(pins.data).some(({ kind }) => kind === "quarantine")) return;
  throw new UsageError(`--new-writes ${newWrites}: this undo leaves the data as it is, so there are no rows to ask for: leave it away`);
}

/** How to undo the last rollout; null if that is impossible. */
export async function undoOf({ stack, project }: OpenStack, more = ""): Promise<Undo | null> {
  const now = await openStack(stackFile(stack, project));
  const text = await undoText(now, await standingOf(now)).catch(() => null);
  if (text === null) return null;
  return { command: commandOf(project, "backout", `undo --stack ${stack}${more}`), lines: changedLines(now.text, text) };
}

export function undoLines({ command, lines: { removed, added } }: Undo, file: string, up: string): string[] {
  return [
    `to undo it: ${command}`,
    `or by hand: change these lines in ${file}, then run ${up}:`,
    ...removed.filter((line) => line.trim() !== "").map((line) => `  - ${line}`),
    ...added.filter((line) => line.trim() !== "").map((line) => `  + ${line}`),
  ];
}

export function addUndo(program: Command): void {
  program
    .command("undo")
    .description("revert the last rollback: release, data, services, flags, freeze and block as they were before")
    .option("-s, --stack <name>", "stack (default: the only one)")
    .option("--anew", "if the last rollout is an undo, revert that")
    .option("--new-writes <what>", `rows written since the rollback: ${NEW_WRITES_IN_WORDS} (default: as declared)`)
    .option("--incident <id>", "incident, for the record")
    .option("--reason <text>", "reason, for the record")
    .option("--exact", "count every row at risk, also in large tables")
    .option("-y, --yes", "do not ask")
    .option("--json", "one JSON document on standard output, progress on standard error")
    .action(async (options: Options) =>
      finish(
        options.json,
        () => undo(options),
        (outcome) => {
          tellTimeline(outcome);
          if (outcome.undo !== null) print(`${undoLines(outcome.undo, outcome.preview.file, outcome.up).join("\n")}\n`);
        },
        ({ ok }) => ok,
      ),
    );
}
