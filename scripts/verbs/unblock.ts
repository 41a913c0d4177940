/** `backout unblock`: allows a blocked release to be deployed again. Changes one key of the stack file and nothing that runs. */
import type { Command } from "commander";
import { newRunId } from "../../config/run-id.ts";
import { editPins, rawConfig } from "../../config/edit.ts";
import { suggestion, UsageError } from "../../config/errors.ts";
import { withStackLock } from "../pulumi/stack-lock.ts";
import { openStack, stackFile, writeStack } from "../pulumi/stack.ts";
import { finish, print, type CommonOptions } from "../pulumi/outcome.ts";

export interface UnblockOutcome {
  stack: string;
  release: string;
  /** Why it was blocked; null: it was not blocked. */
  reason: string | null;
  /** Releases that are still blocked, with the reason. */
  blocked: Record<string, string>;
}

async function unblock(release: string, options: CommonOptions): Promise<UnblockOutcome> {
  const read = () => {
    const found = stackFile(options.stack);
    return { found, text: editPins(found.text, [{ path: ["blocked", release], value: undefined }]) };
  };
  // Resolved as it will be: with the block, the stack file may be refused.
  const first = read();
  const { site } = await openStack(first.found, first.text);
  return withStackLock(site, `unblock ${release}`, newRunId("unblock"), async () => {
    const { found, text } = read();
    const was = (rawConfig(found.text)["backout:blocked"] ?? {}) as Record<string, string>;
    const { config, stack } = await openStack(found, text);
    const known = [...new Set([...Object.keys(was), ...Object.keys(config.releases)])];
    if (!known.includes(release))
      throw new UsageError(`release "${release}" is not one of ${known.join(", ")}${suggestion(release, known)}`);
    const reason = was[release] ?? null;
    if (reason !== null) writeStack(found, text);
    return { stack, release, reason, blocked: config.blocked };
  });
}

function tell({ stack, release, reason, blocked }: UnblockOutcome): void {
  const said = reason === null ? "is not blocked: unchanged" : `may be deployed again; it was blocked by ${reason}`;
  const left = Object.entries(blocked).map(([name, why]) => `  ${name} stays blocked: ${why}`);
  print(`${[`${stack}: ${release} ${said}`, ...left].join("\n")}\n`);
}

export function addUnblock(program: Command): void {
  program
    .command("unblock <release>")
    .description("remove the block of a release that a rollback or a failed deployment has set; shows the reason")
    .option("-s, --stack <name>", "stack (default: the only one)")
    .option("--json", "one JSON document on standard output")
    .action(async (release: string, options: CommonOptions) => finish(options.json, () => unblock(release, options), tell));
}
