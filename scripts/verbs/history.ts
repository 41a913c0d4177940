/** `backout history`: the crossings of a stack, newest first, from the control database. */
import type { Command } from "commander";
import { openControl } from "../../control/open.ts";
import { phaseTimes, type PhaseTime } from "../cross.ts";
import { openStack, stackFile } from "../stack.ts";
import { finish, UsageError, type CommonOptions } from "./outcome.ts";

interface Options extends CommonOptions {
  limit: string;
}

export interface HistoryEntry {
  epoch: number;
  runId: string;
  from: string | null;
  to: string;
  scope: string | null;
  state: string;
  startedAt: string;
  openedAt: string | null;
  reason: string | null;
  failure: string | null;
  phases: PhaseTime[];
}

export async function history(options: Options): Promise<{ stack: string; crossings: HistoryEntry[] }> {
  const limit = Number(options.limit);
  if (!Number.isInteger(limit) || limit < 1) throw new UsageError(`--limit "${options.limit}" must be a whole number from 1`);
  const { site, definition, stack } = await openStack(stackFile(options.stack));
  const control = await openControl(site, definition);
  if (control === null) return { stack, crossings: [] };
  try {
    const crossings: HistoryEntry[] = [];
    for (const { epoch, runId, plan, state, startedAt, openedAt, reason, failure } of await control.crossings(limit))
      crossings.push({
        epoch,
        runId,
        from: plan.fromRelease,
        to: plan.toRelease,
        scope: plan.scope,
        state,
        startedAt,
        openedAt,
        reason,
        failure,
        phases: phaseTimes(await control.journal(epoch), plan.scope === null ? undefined : definition.scopes[plan.scope]),
      });
    return { stack, crossings };
  } finally {
    await control.end();
  }
}

export function addHistory(program: Command): void {
  program
    .command("history")
    .description("crossings of the stack, newest first")
    .option("-s, --stack <name>", "stack (the only one there is, unless given)")
    .option("-n, --limit <number>", "how many", "20")
    .option("--json", "one JSON document on standard output")
    .action(async (options: Options) =>
      finish(
        options.json,
        () => history(options),
        ({ stack, crossings }) => {
          if (crossings.length === 0) process.stdout.write(`${stack} is not deployed yet: there are no crossings\n`);
          for (const { epoch, from, to, scope, state, startedAt, openedAt, reason, failure } of crossings) {
            const seconds = openedAt === null ? "" : ` ${((Date.parse(openedAt) - Date.parse(startedAt)) / 1000).toFixed(1)} s`;
            process.stdout.write(
              `${String(epoch).padStart(4)}  ${startedAt}  ${from ?? "nothing"} → ${to}${scope === null ? "" : ` (${scope})`}  ${state}${seconds}${reason === null ? "" : `  ${reason}`}${failure === null ? "" : `  failed at ${failure}`}\n`,
            );
          }
        },
      ),
    );
}
