/** `backout rollback`: lock, preview, question, update, timeline against budget; the newer release is blocked afterwards. */
import type { Command } from "commander";
import { quoted } from "../../config/commands.ts";
import { newRunId } from "../../config/run-id.ts";
import type { RolloutOutcome } from "../pulumi/roll-out.ts";
import { startStoppedServer } from "../pulumi/embedded-server.ts";
import { withStackLock } from "../pulumi/stack-lock.ts";
import { standingOf } from "../pulumi/standing.ts";
import { openStack, stackFile } from "../pulumi/stack.ts";
import { otherWays, takeAlternative } from "./alternative.ts";
import { carryOut, confirm, previewPins, reasonOf } from "./carry-out.ts";
import { goalOf, NEW_WRITES_IN_WORDS, rollbackText, type RollbackWish } from "../pulumi/rollback-pins.ts";
import { finish, print, type CommonOptions } from "../pulumi/outcome.ts";
import type { PreviewOutcome } from "../pulumi/preview.ts";
import { tellTimeline } from "./timeline.ts";
import { undoLines, undoOf, type Undo } from "./undo.ts";
import { nextLine, tellWatch, watch, watchAfter } from "./watch.ts";
import type { NextWatch, WatchOutcome } from "../pulumi/answers.ts";

interface Options extends CommonOptions, RollbackWish {
  /** Another way to finish a rollback that failed. */
  alternative?: string;
  yes?: boolean;
  exact?: boolean;
  /** Start the next watch at once. */
  watch?: boolean;
}

export interface RollbackOutcome extends RolloutOutcome {
  preview: PreviewOutcome;
  /** The next watch; not part of the budget. Null: none. */
  nextWatch: NextWatch | null;
  /** The watch that `--watch` ran; null: none. */
  watched: WatchOutcome | null;
  /** How to undo it; null if it did not succeed. */
  undo: Undo | null;
  /** Commands that finish it in another way, in the order of declaration; empty if it did not fail. */
  otherWays: string[];
}

async function rollback(options: Options): Promise<RollbackOutcome> {
  const outcome = await goBack(options);
  if (options.watch !== true || !outcome.ok || outcome.nextWatch === null) return outcome;
  const watched = await watch(outcome.nextWatch.id, { ...(options.stack === undefined ? {} : { stack: options.stack }) });
  return { ...outcome, nextWatch: watched.next, watched };
}

async function goBack(options: Options): Promise<RollbackOutcome> {
  const before = await openStack(stackFile(options.stack));
  const runId = newRunId("rollback");
  const reason = reasonOf(options);
  return withStackLock(before.site, `rollback${reason === null ? "" : ` for ${reason}`}`, runId, async () => {
    await startStoppedServer(before.site);
    if (options.alternative !== undefined) {
      const taken = await takeAlternative(before, options.alternative, runId, reason, () => confirm(options.yes, before.stack));
      return {
        ...taken.outcome,
        preview: taken.preview,
        nextWatch: taken.outcome.ok ? await watchAfter(taken.stack) : null,
        watched: null,
        undo: taken.outcome.ok && taken.stack.stack === before.stack ? await undoOf(before) : null,
        otherWays: taken.outcome.ok ? [] : otherWays(before, options.alternative),
      };
    }
    const standing = await standingOf(before);
    const text = await rollbackText(before, options, standing);
    const { after, preview } = await previewPins(before, text, options.exact);
    const asked = { verb: "rollback" as const, goal: goalOf(options), words: rollbackWords(options) };
    const outcome = await carryOut({ before, after, preview, standing, runId, reason, yes: options.yes, asked });
    return {
      ...outcome,
      preview,
      nextWatch: outcome.ok ? await watchAfter(after) : null,
      watched: null,
      undo: outcome.ok ? await undoOf(before) : null,
      otherWays: outcome.ok ? [] : otherWays(after),
    };
  });
}

/** The words that request the same again, without the options for question, reason and output. */
export function rollbackWords({
  to,
  scope,
  service,
  snapshot,
  with: given,
  newWrites,
  block,
}: Pick<Options, "to" | "scope" | "service" | "snapshot" | "with" | "newWrites" | "block">): string {
  const option = (name: string, value: string | undefined): string[] => (value === undefined ? [] : [`--${name} ${quoted(value)}`]);
  return [
    "rollback",
    ...option("to", to),
    ...option("scope", scope),
    ...option("service", service),
    ...option("snapshot", snapshot),
    ...(given ?? []).flatMap((one) => option("with", one)),
    ...option("new-writes", newWrites),
    ...(block === false ? ["--no-block"] : []),
  ].join(" ");
}

export function addRollback(program: Command): void {
  program
    .command("rollback")
    .description(
      "roll back, without options to the release that opened before: write the pins of a scope into the stack file, ask, and run `pulumi up`",
    )
    .option("-s, --stack <name>", "stack (default: the only one)")
    .option("--to <release>", "release to roll back to (default: the one that opened before the current one)")
    .option("--scope <name>", "scope of the rollback (default: the smallest that suffices; with other options, the system's)")
    .option("--service <name>", "service, for a scope of one service")
    .option("--snapshot <name@n>", "exact snapshot for scopes that restore data")
    .option("--with <name=value...>", "arguments of the repair, for scopes that repair data in place")
    .option("--alternative <name>", "finish a failed rollback in another way: one of backout:alternatives")
    .option("--incident <id>", "incident, for the record and as the reason of the block")
    .option("--reason <text>", "reason, for the record")
    .option("--no-block", "do not block the current release")
    .option("--new-writes <what>", `rows written since: ${NEW_WRITES_IN_WORDS} (default: as declared)`)
    .option("--exact", "count every row at risk, also in large tables")
    .option("--anew", "give up an unfinished rollout, and repeat a finished one")
    .option("--watch", "start the next watch at once")
    .option("-y, --yes", "do not ask")
    .option("--json", "one JSON document on standard output, progress on standard error")
    .action(async (options: Options) =>
      finish(
        options.json,
        () => rollback(options),
        (outcome) => {
          tellTimeline(outcome);
          if (outcome.undo !== null) print(`${undoLines(outcome.undo, outcome.preview.file, outcome.up).join("\n")}\n`);
          if (outcome.otherWays.length > 0) print(`Other ways to finish it:\n  ${outcome.otherWays.join("\n  ")}\n`);
          if (outcome.watched !== null) tellWatch(outcome.watched);
          else if (outcome.nextWatch !== null) print(`${nextLine(outcome.nextWatch)}\n`);
        },
        ({ ok, watched }) => ok && watched?.passed !== false,
      ),
    );
}
