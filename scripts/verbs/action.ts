/** `backout action`: a step that is only taken when a rollback has proved good, confirmed by its own name, and once. */
import { hostname } from "node:os";
import type { Command } from "commander";
import { openState } from "../../databases/open-state.ts";
import type { StateStore } from "../../config/record.ts";
import { actionRefusals, carryOut, type ActionDone, type ActionFacts } from "../../rollout/action.ts";
import { recordGovernance } from "../../rollout/governance.ts";
import { newRunId } from "../../config/run-id.ts";
import { commandOf } from "../../config/commands.ts";
import { suggestion, UsageError, RefusedError } from "../../config/errors.ts";
import { clockSpeed } from "../../rollout/verification/clock.ts";
import { watchStates } from "../../rollout/verification/watches-due.ts";
import { withStackLock } from "../pulumi/stack-lock.ts";
import { requireSettled, standingOf } from "../pulumi/standing.ts";
import { openStack, stackFile, type OpenStack } from "../pulumi/stack.ts";
import { finish, print, say, type CommonOptions } from "../pulumi/outcome.ts";

interface Options extends CommonOptions {
  confirm?: string;
}

export interface ActionListed {
  id: string;
  title: string;
  why: string;
  /** How it is done, as it is typed here. */
  how: string;
  /** Why it may not be done now; empty: it may. */
  refused: string[];
}

export interface ActionOutcome extends Omit<ActionDone, "kept"> {
  stack: string;
  action: string;
  runId: string;
  /** What was kept before it went. */
  kept: { table: string; path: string; sha256: string; rows: number }[];
}

/** What there is, and what may be done now. */
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

/** How long a run of somebody else on the same system is waited for. Milliseconds. */
const LOCK_WAIT_MS = 5_000;

async function action(id: string, options: Options): Promise<ActionOutcome> {
  const before = await openStack(stackFile(options.stack));
  const known = Object.keys(before.definition.actions ?? {});
  if (!known.includes(id)) throw new UsageError(`action "${id}" is not one of ${known.join(", ") || "none"}${suggestion(id, known)}`);
  if (options.confirm !== id)
    throw new UsageError(`"${id}" takes something away: confirm it by its name with --confirm ${id}; nothing was changed`);
  const runId = newRunId("action");
  return withStackLock(before.site, `action ${id}`, runId, async () => {
    const stack = await openStack(stackFile(options.stack));
    const { site, definition } = stack;
    requireSettled(await standingOf(stack), null);
    const state = await openState(site, definition);
    if (state === null) throw new RefusedError(`${stack.stack} is not deployed yet; nothing was changed`);
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
  { alreadySo, detail, kept }: ActionDone,
): Promise<void> {
  if (alreadySo) return;
  const files = kept.map(({ table, path, sha256, rows }) => ({ table, path, sha256, rows }));
  const entry = { runId, epoch, event: "action", system: definition.name, stack, action: id, success: true, detail, kept: files };
  await recordGovernance({ site, state, warn: (message) => say(`! ${message}`) }, entry);
}

function tell({ action: id, alreadySo, detail, kept }: ActionOutcome): void {
  const lines = [`${id}: ${alreadySo ? `already so: ${detail}` : detail}`];
  for (const { table, rows, path } of kept) lines.push(`  kept ${rows} rows of ${table}: ${path}`);
  print(`${lines.join("\n")}\n`);
}

function tellList({ actions }: { actions: ActionListed[] }): void {
  if (actions.length === 0) print("the system has no such steps\n");
  for (const { id, title, why, how, refused } of actions) {
    print(`${id}: ${title}\n  ${why}\n`);
    if (refused.length === 0) print(`  may be done now: ${how}\n`);
    for (const reason of refused) print(`  not now: ${reason}\n`);
  }
}

export function addAction(program: Command): void {
  program
    .command("action [id]")
    .description("do a step that is only taken when a rollback has proved good, once; without a name: list them")
    .option("-s, --stack <name>", "stack (the only one there is, unless given)")
    .option("--confirm <id>", "the action's name once more: it takes something away")
    .option("--json", "one JSON document on standard output, progress on standard error")
    .action(async (id: string | undefined, options: Options) =>
      id === undefined ? finish(options.json, () => listActions(options), tellList) : finish(options.json, () => action(id, options), tell),
    );
}
