/** `backout rollback`: lock, preview, question, update, timeline against budget; the release that is left is blocked afterwards. */
import type { Command } from "commander";
import { question } from "zx";
import { newRunId } from "../../crossing/run-id.ts";
import { EMBEDDED_USER, serverHome, type Site } from "../../declared/site.ts";
import { cross, type CrossingOutcome } from "../cross.ts";
import { withStackLock } from "../stack-lock.ts";
import { openStack, stackFile } from "../stack.ts";
import { takeAlternative } from "./alternative.ts";
import { rollbackText, type RollbackWish } from "./rollback-pins.ts";
import { finish, say, UsageError, VerbRefusedError, type CommonOptions } from "./outcome.ts";
import { previewOf, tellPreview, type PreviewOutcome } from "./preview.ts";
import { tellTimeline } from "./timeline.ts";
import { nextLine, tellWatch, watch, watchAfter, type NextWatch, type WatchOutcome } from "./watch.ts";

interface Options extends CommonOptions, RollbackWish {
  /** Another way to finish a rollback that failed. */
  alternative?: string;
  yes?: boolean;
  exact?: boolean;
  /** Begin the watch that comes next at once. */
  watch?: boolean;
}

export interface RollbackOutcome extends CrossingOutcome {
  preview: PreviewOutcome;
  /** What is to be watched next; it is no part of the budget. Null: nothing. */
  nextWatch: NextWatch | null;
  /** The watch that `--watch` carried through; null: none. */
  watched: WatchOutcome | null;
}

export async function rollback(options: Options): Promise<RollbackOutcome> {
  const outcome = await goBack(options);
  if (options.watch !== true || !outcome.ok || outcome.nextWatch === null) return outcome;
  const watched = await watch(outcome.nextWatch.id, { ...(options.stack === undefined ? {} : { stack: options.stack }) });
  return { ...outcome, nextWatch: watched.next, watched };
}

async function goBack(options: Options): Promise<RollbackOutcome> {
  const found = stackFile(options.stack);
  const before = await openStack(found);
  const runId = newRunId("rollback");
  const reason = [options.incident, options.reason].filter((text) => text !== undefined).join(": ") || null;
  return withStackLock(before.site, `rollback${reason === null ? "" : ` for ${reason}`}`, runId, async () => {
    await startStoppedServer(before.site);
    if (options.alternative !== undefined) {
      const taken = await takeAlternative(before, options.alternative, runId, reason, () => confirm(options.yes === true, before.stack));
      return {
        ...taken.outcome,
        preview: taken.preview,
        nextWatch: taken.outcome.ok ? await watchAfter(taken.stack) : null,
        watched: null,
      };
    }
    const text = await rollbackText(before, options);
    const after = await openStack(found, text);
    const preview = await previewOf(before, after, options.exact === true);
    tellPreview(preview, say);
    if (preview.unknown !== null) throw new VerbRefusedError(`the database cannot be reached, nothing was changed: ${preview.unknown}`);
    if (preview.refused.length > 0) throw new VerbRefusedError(`refused, nothing was changed:\n${preview.refused.join("\n")}`);
    await confirm(options.yes === true, before.stack);
    const outcome = await cross(before, text, runId, reason);
    if (outcome.refused) throw new VerbRefusedError(`refused, nothing was changed:\n${outcome.failure ?? ""}`);
    return { ...outcome, preview, nextWatch: outcome.ok ? await watchAfter(after) : null, watched: null };
  });
}

/** An embedded server that is down is started first, as the update would: without it nobody knows which snapshots there are. */
export async function startStoppedServer(site: Site): Promise<void> {
  if (site.server?.embedded !== true) return;
  const { ensureServer, observeServer } = await import("../../postgres/server.ts");
  if (observeServer(serverHome(site)).state !== "stopped") return;
  say("the embedded PostgreSQL server is down: it is started");
  await ensureServer({ home: serverHome(site), port: site.server.port, superuser: EMBEDDED_USER, log: say });
}

/** Without a terminal nobody can be asked: `--yes` must say so. */
export async function confirm(yes: boolean, stack: string): Promise<void> {
  if (yes) return;
  if (!process.stdin.isTTY) throw new UsageError("there is no terminal to ask on: repeat with --yes; nothing was changed");
  const answer = await question(`Do this to ${stack}? Type yes: `);
  if (answer.trim() !== "yes") throw new VerbRefusedError("not confirmed; nothing was changed");
}

export function addRollback(program: Command): void {
  program
    .command("rollback")
    .description("go back: write the pins of a scope into the stack file and bring the stack there by `pulumi up`")
    .option("-s, --stack <name>", "stack (the only one there is, unless given)")
    .option("--to <release>", "release to go back to; the one before the current unless given")
    .option("--scope <name>", "how much goes back; the system's default unless given")
    .option("--component <name>", "component of a scope that is for one")
    .option("--snapshot <name@n>", "exact snapshot for scopes that restore data")
    .option("--with <name=value...>", "arguments of the repair, for scopes that mend data in place")
    .option("--alternative <name>", "another way to finish a rollback that failed: one of backout:alternatives")
    .option("--incident <id>", "incident, for the record and as the reason of the block")
    .option("--reason <text>", "reason, for the record")
    .option("--no-block", "leave the release that is left deployable")
    .option(
      "--carry <what>",
      "rows written since: export, reapply (put back what the older schema holds) or refuse; as declared unless given",
    )
    .option("--exact", "count rows at risk one by one, also in large tables")
    .option("--watch", "begin the watch that comes next at once")
    .option("-y, --yes", "do not ask")
    .option("--json", "one JSON document on standard output, progress on standard error")
    .action(async (options: Options) =>
      finish(
        options.json,
        () => rollback(options),
        (outcome) => {
          tellTimeline(outcome);
          if (outcome.watched !== null) tellWatch(outcome.watched);
          else if (outcome.nextWatch !== null) process.stdout.write(`${nextLine(outcome.nextWatch)}\n`);
        },
        ({ ok, watched }) => ok && watched?.passed !== false,
      ),
    );
}
