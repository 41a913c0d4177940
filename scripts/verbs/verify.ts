/** `backout verify`: the system's checks against what runs, without an update. */
import type { Command } from "commander";
import { openControl } from "../../control/open.ts";
import { newRunId } from "../../crossing/run-id.ts";
import type { CheckResult } from "../../systems/definition.ts";
import { checksFor, runChecks } from "../../verification/checks.ts";
import { openContext } from "../../verification/context.ts";
import { openStack, stackFile } from "../stack.ts";
import { colour, finish, say, UsageError, VerbRefusedError, type CommonOptions } from "./outcome.ts";

interface Options extends CommonOptions {
  check?: string[];
}

export async function verifyStack(options: Options): Promise<{ stack: string; passed: boolean; checks: CheckResult[] }> {
  const { site, definition, pins, stack } = await openStack(stackFile(options.stack));
  const control = await openControl(site, definition);
  const crossing = (await control?.lastCrossing()) ?? null;
  if (control === null || crossing === null) throw new VerbRefusedError(`${stack} is not deployed yet: there is nothing to verify`);
  const known = definition.checks.map(({ id }) => id);
  for (const id of options.check ?? []) if (!known.includes(id)) throw new UsageError(`check "${id}" is not one of ${known.join(", ")}`);
  const run = {
    site,
    definition,
    control,
    epoch: crossing.epoch,
    runId: newRunId("verify"),
    log: (_severity: string, line: string) => say(line),
  };
  const context = await openContext(run, pins, { open: true });
  try {
    const checks = await runChecks(definition, options.check ?? checksFor(definition, crossing.plan.scope), context);
    return { stack, passed: checks.every(({ status }) => status !== "failed"), checks };
  } finally {
    await context.end();
    await control.end();
  }
}

export function addVerify(program: Command): void {
  program
    .command("verify")
    .description("run the system's checks against what runs now; what they write they remove again")
    .option("-s, --stack <name>", "stack (the only one there is, unless given)")
    .option("--check <id...>", "only these")
    .option("--json", "one JSON document on standard output")
    .action(async (options: Options) =>
      finish(
        options.json,
        () => verifyStack(options),
        ({ checks }) => {
          const paint = colour();
          for (const { name, status, detail } of checks)
            process.stdout.write(`${status === "failed" ? (paint?.red(status) ?? status) : status}  ${name}: ${detail}\n`);
        },
        ({ passed }) => passed,
      ),
    );
}
