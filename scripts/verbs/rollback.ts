/** `backout rollback`: lock, preview, question, update, timeline against budget; the release that is left is blocked afterwards. */
import type { Command } from "commander";
import { newRunId } from "../../config/run-id.ts";
import type { RolloutOutcome } from "../pulumi/cross.ts";
import { startStoppedServer } from "../pulumi/embedded-server.ts";
import { withStackLock } from "../pulumi/stack-lock.ts";
import { standingOf } from "../pulumi/standing.ts";
import { openStack, stackFile } from "../pulumi/stack.ts";
import { otherWays, takeAlternative } from "./alternative.ts";
import { carryOut, confirm, previewPins, quoted, reasonOf } from "./carry-out.ts";
import { goalOf, rollbackText, type RollbackWish } from "../pulumi/rollback-pins.ts";
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
  /** Begin the watch that comes next at once. */
  watch?: boolean;
}

export interface RollbackOutcome extends RolloutOutcome {
  preview: PreviewOutcome;
  /** What is to be watched next; it is no part of the budget. Null: nothing. */
  nextWatch: NextWatch | null;
  /** The watch that `--watch` carried through; null: none. */
  watched: WatchOutcome | null;
  /** How it is taken back; null where it did not succeed. */
  undo: Undo | null;
  /** Commands by which it can be finished otherwise, in the order in which they are declared; empty where it did not fail. */
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
    const asked = { verb: "rollback" as const, goal: goalOf(options), words: wordsOf(options) };
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

/** As typed, but for who is asked, why, and how it is told. */
function wordsOf({ to, scope, service, snapshot, with: given, newWrites, block }: Options): string {
  const option = (name: string, value: string | undefined): string[] => (value === undefined ? [] : [`--${name} ${quoted(value)}`]);
  return [
    "rollback",
    ...option("to", to),
    ...option("scope", scope),
    ...option("service", service),
    ...option("snapshot", snapshot),
    ...(given ?? []).flatMap((one) => option("with", one)),
    ...option("newWrites", newWrites),
    ...(block === false ? ["--no-block"] : []),
  ].join(" ");
}

export function addRollback(program: Command): void {
  program
    .command("rollback")
    .description("go back: write the pins of a scope into the stack file and bring the stack there by `pulumi up`")
    .option("-s, --stack <name>", "stack (the only one there is, unless given)")
    .option("--to <release>", "release to go back to; the one before the current unless given")
    .option("--scope <name>", "how much goes back; the system's default unless given")
    .option("--service <name>", "service of a scope that is for one")
    .option("--snapshot <name@n>", "exact snapshot for scopes that restore data")
    .option("--with <name=value...>", "arguments of the repair, for scopes that mend data in place")
    .option("--alternative <name>", "another way to finish a rollback that failed: one of backout:alternatives")
    .option("--incident <id>", "incident, for the record and as the reason of the block")
    .option("--reason <text>", "reason, for the record")
    .option("--no-block", "leave the release that is left deployable")
    .option(
      "--new-writes <what>",
      "rows written since: export, reapply (put back what the older schema holds) or refuse; as declared unless given",
    )
    .option("--exact", "count rows at risk one by one, also in large tables")
    .option("--anew", "give up what is unfinished, and take what is done for not done")
    .option("--watch", "begin the watch that comes next at once")
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
