/** `backout verify`: the system's checks against what runs, without an update. */
import type { Command } from "commander";
import { openState } from "../../databases/open-state.ts";
import type { StateStore } from "../../config/record.ts";
import { commandOf } from "../../config/commands.ts";
import { newRunId } from "../../config/run-id.ts";
import { suggestion, UsageError } from "../../config/errors.ts";
import type { CheckResult, CheckStatus, Figures } from "../../config/system/check.ts";
import { checksFor, runChecks } from "../../rollout/verification/checks.ts";
import { openContext } from "../../rollout/verification/context.ts";
import { onLeave } from "../pulumi/leave.ts";
import { NotDeployedError } from "../pulumi/not-deployed.ts";
import { openStack, stackFile, type OpenStack } from "../pulumi/stack.ts";
import { painted, finish, print, say, type CommonOptions } from "../pulumi/outcome.ts";

interface Options extends CommonOptions {
  check?: string[];
}

/** A check as `--json` tells it. */
interface VerifiedCheck {
  id: string;
  title: string;
  /** Also where it was skipped: `status` tells. */
  ok: boolean;
  status: CheckStatus;
  message: string;
  /** How long it took, milliseconds. */
  ms: number;
  figures?: Figures;
}

export interface Verified {
  stack: string;
  passed: boolean;
  checks: CheckResult[];
  results: VerifiedCheck[];
}

async function verifyStack(options: Options): Promise<Verified> {
  const opened = await openStack(stackFile(options.stack));
  const known = opened.definition.checks.map(({ id }) => id);
  for (const id of options.check ?? [])
    if (!known.includes(id)) throw new UsageError(`check "${id}" is not one of ${known.join(", ")}${suggestion(id, known)}`);
  const state = await openState(opened.site, opened.definition);
  if (state === null) throw new NotDeployedError(opened);
  // Ctrl-C ends this process in an orderly way, and with it the processes of its checks.
  const left = onLeave(() => undefined);
  try {
    return await checked(opened, state, options.check);
  } finally {
    left();
    // An open session keeps the process running.
    await state.end();
  }
}

async function checked(opened: OpenStack, state: StateStore, only: string[] | undefined): Promise<Verified> {
  const { site, definition, pins, stack } = opened;
  const rollout = await state.lastRollout();
  if (rollout === null) throw new NotDeployedError(opened);
  const log = (_severity: string, line: string): void => say(line);
  const run = { site, definition, state, epoch: rollout.epoch, runId: newRunId("verify"), log };
  const context = await openContext(run, pins, { open: true });
  try {
    const took = new Map<string, { title: string; ms: number }>();
    const ids = only ?? checksFor(definition, rollout.plan.scope);
    const checks = await runChecks(definition, ids, context, ({ id, title }, ms) => took.set(id, { title, ms }));
    const results = checks.map(({ name: id, status, detail: message, figures }) => {
      const { title, ms } = took.get(id)!;
      return { id, title, ok: status !== "failed", status, message, ms, ...(figures && { figures }) };
    });
    return { stack, passed: results.every(({ ok }) => ok), checks, results };
  } finally {
    await context.end();
  }
}

/** One line per check, then the result and what to run where one failed. */
export function verifiedLines({ stack, checks }: Omit<Verified, "results">, rollback: string): string[] {
  const failed = checks.filter(({ status }) => status === "failed");
  const lines = checks.map(({ name, status, detail }) => `${status === "failed" ? painted("red", status) : status}  ${name}: ${detail}`);
  if (failed.length === 0) return [...lines, `${stack}: no check failed`];
  const names = failed.map(({ name }) => name).join(", ");
  return [
    ...lines,
    `${stack}: ${failed.length} of ${checks.length} checks failed: ${names}. To roll back, run \`${rollback}\`: it shows a preview and asks first`,
  ];
}

export function addVerify(program: Command): void {
  program
    .command("verify")
    .description("run the system's checks, those in its folder `verify/` too, against what runs now; checks remove what they write")
    .option("-s, --stack <name>", "stack (default: the only one)")
    .option("--check <id...>", "only these checks")
    .option("--json", "one JSON document on standard output")
    .action(async (options: Options) =>
      finish(
        options.json,
        () => verifyStack(options),
        (verified) => {
          const { project, stack } = stackFile(options.stack);
          print(`${verifiedLines(verified, commandOf(project, "backout", `rollback --stack ${stack}`)).join("\n")}\n`);
        },
        ({ passed }) => passed,
      ),
    );
}
