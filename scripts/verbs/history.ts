/**
 * `backout history`: the rollouts of a stack, newest first, from the state; with `--verify`, compares kept files with what was recorded.
 */
import type { Command } from "commander";
import { openState } from "../../databases/open-state.ts";
import { scopeText } from "../../config/recorded-scope.ts";
import { verifyRecords, type RecordsVerified } from "../../rollout/verify-records.ts";
import { reappliedBy, type ReappliedTold } from "../../rollout/steps/reapply.ts";
import { isDone } from "../../rollout/inspect.ts";
import { phaseTimes, type PhaseTime } from "../pulumi/roll-out.ts";
import { NotDeployedError } from "../pulumi/not-deployed.ts";
import { openStack, stackFile } from "../pulumi/stack.ts";
import { finish, print, say, type CommonOptions } from "../pulumi/outcome.ts";
import { UsageError } from "../../config/errors.ts";

interface Options extends CommonOptions {
  limit: string;
  /** Compare kept files with what was recorded of them. */
  verify?: boolean;
}

export interface HistoryVerified extends RecordsVerified {
  stack: string;
  ok: boolean;
}

export interface HistoryEntry {
  epoch: number;
  runId: string;
  from: string | null;
  to: string;
  scope: string | null;
  /** Service of a scope of one service; null: another scope. */
  service: string | null;
  /** Release of an earlier rollout that never opened; null: none. */
  begun: string | null;
  /** What ran when the system was adopted: nothing was stopped or started for it. */
  adopted: boolean;
  state: string;
  startedAt: string;
  openedAt: string | null;
  reason: string | null;
  failure: string | null;
  phases: PhaseTime[];
  /** Updates that worked at it: more than one if it was interrupted or failed, and resumed. */
  runs: number;
  /** With `newWrites: reapply`, by database: rows put back, conflicts, and rows that do not fit the restored schema. Absent: none. */
  putBack?: ReappliedTold[];
}

async function history(options: Options): Promise<{ stack: string; rollouts: HistoryEntry[] }> {
  const limit = Number(options.limit);
  if (!Number.isInteger(limit) || limit < 1) throw new UsageError(`--limit "${options.limit}" must be a whole number from 1`);
  const { site, definition, stack } = await openStack(stackFile(options.stack));
  const state = await openState(site, definition);
  if (state === null) return { stack, rollouts: [] };
  try {
    const rollouts: HistoryEntry[] = [];
    for (const rollout of await state.rollouts(limit)) {
      const { epoch, runId, plan, startedAt, openedAt, reason, failure } = rollout;
      const [putBack, journal] = [await reappliedBy({ state, definition }, epoch), await state.journal(epoch)];
      rollouts.push({
        epoch,
        runId,
        from: plan.fromRelease,
        to: plan.toRelease,
        scope: plan.scope,
        service: plan.service ?? null,
        begun: plan.begun ?? null,
        adopted: plan.adopted === true,
        state: rollout.state,
        startedAt,
        openedAt,
        reason,
        failure,
        phases: phaseTimes(journal, plan.scope === null ? undefined : definition.scopes[plan.scope], isDone(rollout)),
        runs: new Set(journal.map((entry) => entry.runId)).size,
        ...(putBack.length === 0 ? {} : { putBack }),
      });
    }
    return { stack, rollouts };
  } finally {
    await state.end();
  }
}

/** Time from start to open; if several runs worked at it, also the time without the pauses between them. */
export function timeOf({ startedAt, openedAt, runs, phases }: Pick<HistoryEntry, "startedAt" | "openedAt" | "runs" | "phases">): string {
  if (openedAt === null) return "";
  const seconds = (Date.parse(openedAt) - Date.parse(startedAt)) / 1000;
  const worked = phases.reduce((sum, phase) => sum + phase.seconds, 0);
  return runs < 2 ? ` ${seconds.toFixed(1)} s` : ` ${seconds.toFixed(1)} s after its start, ${worked.toFixed(1)} s of work in ${runs} runs`;
}

async function verifyHistory(options: CommonOptions): Promise<HistoryVerified> {
  const opened = await openStack(stackFile(options.stack));
  const { site, definition, stack } = opened;
  const state = await openState(site, definition);
  if (state === null) throw new NotDeployedError(opened);
  try {
    const verified = await verifyRecords({ site, definition, state, log: (_severity, line) => say(line) });
    return { stack, ok: verified.problems.length === 0, ...verified };
  } finally {
    await state.end();
  }
}

function tellVerified({ checked, problems }: HistoryVerified): void {
  for (const { what, where, problem } of problems) print(`${what} ${where}: ${problem}\n`);
  const { lines, evidence, exports, snapshots } = checked;
  const compared = `${lines} lines of the audit log, ${evidence} evidence folders, ${exports} exported files, ${snapshots} snapshots`;
  print(`${compared}: ${problems.length === 0 ? "all as recorded" : `${problems.length} differ from what was recorded`}\n`);
}

export function addHistory(program: Command): void {
  program
    .command("history")
    .description("rollouts of the stack, newest first")
    .option("-s, --stack <name>", "stack (default: the only one)")
    .option("-n, --limit <number>", "how many", "20")
    .option("--verify", "compare audit log, evidence, exports and snapshots with what was recorded of them")
    .option("--json", "one JSON document on standard output")
    .action(async (options: Options) => {
      if (options.verify === true)
        return finish(
          options.json,
          () => verifyHistory(options),
          tellVerified,
          ({ ok }) => ok,
        );
      return finish(
        options.json,
        () => history(options),
        ({ stack, rollouts }) => {
          if (rollouts.length === 0) print(`${stack} has no rollouts: nothing was deployed yet\n`);
          for (const rollout of rollouts) {
            const { epoch, from, begun, to, adopted, scope, service, state, startedAt, reason, failure, putBack = [] } = rollout;
            print(
              `${String(epoch).padStart(4)}  ${startedAt}  ${adopted ? "adopted, as it ran" : (from ?? "nothing")}${begun === null ? "" : `, then ${begun}, which never opened`} → ${to}${scope === null ? "" : ` (${scopeText(scope, service ?? undefined)})`}  ${state}${timeOf(rollout)}${reason === null ? "" : `  ${reason}`}${failure === null ? "" : `  failed at ${failure}`}\n`,
            );
            for (const { leftOut } of putBack) for (const line of leftOut) print(`      ${line}\n`);
          }
        },
      );
    });
}
