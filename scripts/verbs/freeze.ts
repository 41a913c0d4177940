/**
 * `backout freeze`: forbids the deployment of newer releases, or allows it again. Changes one key of the stack file and nothing that runs.
 */
import type { Command } from "commander";
import { newRunId } from "../../config/run-id.ts";
import { showFreeze } from "../../rollout/freeze.ts";
import { editPins } from "../../config/edit.ts";
import type { Freeze } from "../../config/schema.ts";
import { withStackLock } from "../pulumi/stack-lock.ts";
import { standingOf } from "../pulumi/standing.ts";
import { openStack, stackFile, writeStack } from "../pulumi/stack.ts";
import { finish, print, say, type CommonOptions } from "../pulumi/outcome.ts";
import { UsageError } from "../../config/errors.ts";

interface Options extends CommonOptions {
  reason?: string;
  until?: string;
  lift?: boolean;
}

export interface FreezeOutcome {
  stack: string;
  /** The freeze that is set now; null: none. */
  freeze: Freeze | null;
  already: boolean;
}

async function freeze(options: Options): Promise<FreezeOutcome> {
  const { lift, reason, until } = options;
  if ((lift === true) === (reason !== undefined)) throw new UsageError("give either --reason, to freeze, or --lift");
  const { site, stack } = await openStack(stackFile(options.stack));
  return withStackLock(site, lift === true ? "lift the freeze" : "freeze", newRunId("freeze"), async () => {
    const found = stackFile(options.stack);
    const now = await openStack(found);
    const { config } = now;
    // A freeze changes nothing that runs: an unfinished rollout can be resumed.
    const { pending } = await standingOf(now).catch(() => ({ pending: null }));
    if (pending !== null) say(`! ${pending.title}. To resume it, run \`${pending.command}\``);
    if (lift === true && config.freeze === undefined) return { stack, freeze: null, already: true };
    const wanted =
      lift === true ? undefined : { reason: reason!, since: new Date().toISOString(), ...(until === undefined ? {} : { until }) };
    const text = editPins(found.text, [{ path: ["freeze"], value: wanted }]);
    // An invalid freeze is refused before it is written.
    const after = await openStack(found, text);
    writeStack(found, text);
    return { stack, freeze: after.config.freeze ?? null, already: false };
  });
}

function tell({ stack, freeze: now, already }: FreezeOutcome): void {
  const said = now === null ? (already ? "unchanged: no freeze is set" : "lifted: newer releases may be deployed") : showFreeze(now);
  print(`${stack}: ${said}\n`);
}

export function addFreeze(program: Command): void {
  program
    .command("freeze")
    .description("refuse newer releases until the freeze is lifted; changes nothing that runs, and every rollback stays possible")
    .option("-s, --stack <name>", "stack (default: the only one)")
    .option("--reason <text>", "why")
    .option("--until <watch>", "watch that lifts the freeze when it has passed (default: only --lift does)")
    .option("--lift", "lift the freeze: newer releases may be deployed again")
    .option("--json", "one JSON document on standard output")
    .action(async (options: Options) => finish(options.json, () => freeze(options), tell));
}
