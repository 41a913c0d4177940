/** `backout action`: a step that runs once, after a rollback has proved good, confirmed by its name. */
import { hostname } from "node:os";
import type { Command } from "commander";
import { openState } from "../../databases/open-state.ts";
import type { StateStore } from "../../config/record.ts";
import { actionRefusals, carryOut, type ActionFacts } from "../../rollout/action.ts";
import { type ActionDone } from "../../databases/engine.ts";
import { recordInAuditLog } from "../../rollout/audit-log.ts";
import { newRunId } from "../../config/run-id.ts";
import { commandOf } from "../../config/commands.ts";
import { suggestion, UsageError, RefusedError } from "../../config/errors.ts";
import { clockSpeed } from "../../rollout/verification/clock.ts";
import { watchStates } from "../../rollout/verification/watches-due.ts";
import { withStackLock } from "../pulumi/stack-lock.ts";
import { requireSettled, standingOf } from "../pulumi/standing.ts";
import { NotDeployedError } from "../pulumi/not-deployed.ts";
import { openStack, stackFile, type OpenStack } from "../pulumi/stack.ts";
import { finish, print, say, type CommonOptions } from "../pulumi/outcome.ts";

interface Options extends CommonOptions {
  confirm?: string;
}

export interface ActionListed {
  id: string;
  title: string;
  why: string;
  /** The command that runs it, as typed here. */
  how: string;
  /** Why it may not run now; empty: it may. */
  refused: string[];
}

export interface ActionOutcome extends Omit<ActionDone, "kept"> {
  stack: string;
  action: string;
  runId: string;
  /** Rows that were exported before they were removed. */
  kept: { table: string; path: string; sha256: string; rows: number }[];
}

/** The system's actions, and which may run now. */
async function listActions(options: CommonOptions): Promise<{ stack: string; actions: ActionListed[] }> {
  const stack = await openStack(stackFile(options.stack));
  const facts = await factsOf(stack);
  const actions = Object.entries(stack.definition.actions ?? {}).map(([id, { title, why }]) => ({
    id,
    title,
    why,
    how: commandOf(stack.project, "backout", `action ${id} --confirm ${id} --stack ${stack.stack}`),
    refused: actionRefusals(stack.definition, id, facts),
  }));
  return { stack: stack.stack, actions };
}

/** How long to wait for another run on the same system. Milliseconds. */
const LOCK_WAIT_MS = 5_000;

async function action(id: string, options: Options): Promise<ActionOutcome> {
  const before = await openStack(stackFile(options.stack));
  const known = Object.keys(before.definition.actions ?? {});
  if (!known.includes(id)) throw new UsageError(`action "${id}" is not one of ${known.join(", ") || "none"}${suggestion(id, known)}`);
  if (options.confirm !== id) throw new UsageError(`"${id}" removes data or objects: confirm it with --confirm ${id}; nothing was changed`);
  const runId = newRunId("action");
  return withStackLock(before.site, `action ${id}`, runId, async () => {
    const stack = await openStack(stackFile(options.stack));
    const { site, definition } = stack;
    requireSettled(await standingOf(stack), null);
    const state = await openState(site, definition);
    if (state === null) throw new NotDeployedError(stack);
    try {
      await state.lock({ runId, pid: process.pid, host: hostname(), since: new Date().toISOString() }, LOCK_WAIT_MS);
      const facts = await factsOf(stack, state);
      const refused = actionRefusals(definition, id, facts);
      if (refused.length > 0) throw new RefusedError(`refused, nothing was changed:\n${refused.join("\n")}`);
      const run = { site, definition, state, epoch: facts.rollout!.epoch, runId, log: (_severity: string, line: string) => say(line) };
      const done = await carryOut(run, id);
      await note(stack, state, { id, epoch: run.epoch, runId }, done);
      const kept = done.kept.map(({ table, path, sha256, rows }) => ({ table, path, sha256, rows }));
      return { stack: stack.stack, action: id, runId, ...done, kept };
    } finally {
      await state.end();
    }
  });
}

async function factsOf(
  { site, definition, pins }: OpenStack,
  opened?: StateStore,
): Promise<ActionFacts & { rollout: ActionFacts["rollout"] }> {
  const state = opened ?? (await openState(site, definition));
  try {
    const rollout = (await state?.lastRollout()) ?? null;
    return { site, rollout, watches: rollout === null ? [] : watchStates(site, definition, rollout, clockSpeed()), pins };
  } finally {
    if (opened === undefined) await state?.end();
  }
}

async function note(
  { site, definition, stack }: OpenStack,
  state: StateStore,
  { id, epoch, runId }: { id: string; epoch: number; runId: string },
  { unchanged, detail, kept }: ActionDone,
): Promise<void> {
  if (unchanged) return;
  const files = kept.map(({ table, path, sha256, rows }) => ({ table, path, sha256, rows }));
  const entry = { runId, epoch, event: "action", system: definition.name, stack, action: id, success: true, detail, kept: files };
  await recordInAuditLog({ site, state, warn: (message) => say(`! ${message}`) }, entry);
}

function tell({ action: id, unchanged, detail, kept }: ActionOutcome): void {
  const lines = [`${id}: ${unchanged ? `unchanged (${detail})` : detail}`];
  for (const { table, rows, path } of kept) lines.push(`  exported ${rows} rows of ${table}: ${path}`);
  print(`${lines.join("\n")}\n`);
}

function tellList({ actions }: { actions: ActionListed[] }): void {
  if (actions.length === 0) print("the system has no actions\n");
  for (const { id, title, why, how, refused } of actions) {
    print(`${id}: ${title}\n  ${why}\n`);
    if (refused.length === 0) print(`  may run now: ${how}\n`);
    for (const reason of refused) print(`  may not run now: ${reason}\n`);
  }
}

export function addAction(program: Command): void {
  program
    .command("action [id]")
    .description("run an action, a step that waits until a rollback has proved good; without an id: list the actions")
    .option("-s, --stack <name>", "stack (default: the only one)")
    .option("--confirm <id>", "the action's id again: it removes data or objects")
    .option("--json", "one JSON document on standard output, progress on standard error")
    .action(async (id: string | undefined, options: Options) =>
      id === undefined ? finish(options.json, () => listActions(options), tellList) : finish(options.json, () => action(id, options), tell),
    );
}
