/** `backout preview`: shows what a rollback or a changed stack file would do, and changes nothing. */
import type { Command } from "commander";
import { showFreeze } from "../../rollout/freeze.ts";
import { maintenanceLine, previewLines } from "../../rollout/preview-lines.ts";
import { standingOf } from "../pulumi/standing.ts";
import { openStack, stackFile } from "../pulumi/stack.ts";
import { NEW_WRITES_IN_WORDS, rollbackText } from "../pulumi/rollback-pins.ts";
import { painted, finish, print, type CommonOptions } from "../pulumi/outcome.ts";
import { type PreviewOutcome, previewOf } from "../pulumi/preview.ts";

interface Options extends CommonOptions {
  to?: string;
  scope?: string;
  service?: string;
  exact?: boolean;
  newWrites?: string;
  snapshot?: string;
  with?: string[];
}

export function tellPreview(outcome: PreviewOutcome, print: (line: string) => void): void {
  const warn = (line: string): void => print(painted("yellow", `! ${line}`));
  for (const line of outcome.lines.removed.filter((text) => text.trim() !== "")) print(painted("red", `- ${line}`));
  for (const line of outcome.lines.added.filter((text) => text.trim() !== "")) print(painted("green", `+ ${line}`));
  if (outcome.unknown !== null)
    warn(`rows at risk are unknown, because the database is unreachable; an update would fail before anything stops: ${outcome.unknown}`);
  if (outcome.freeze !== null) warn(showFreeze(outcome.freeze));
  for (const reason of outcome.refused) print(painted("red", `refused: ${reason}`));
  if (outcome.settled)
    print(
      outcome.drifted.length === 0 ? "  nothing to change: these pins opened last" : "  these pins opened last; what an update corrects:",
    );
  if (outcome.settled && outcome.maintenance.mode !== "off") warn(maintenanceLine(outcome.maintenance));
  for (const line of outcome.drifted) warn(line);
  if (outcome.preview !== null)
    for (const { severity, line } of previewLines(outcome.preview))
      if (severity === "warning") warn(line);
      else print(`  ${line}`);
}

export function addPreview(program: Command): void {
  program
    .command("preview")
    .description(
      "show what a rollback (--scope, --to, …) or, without any of these, the stack file as it is would do: changes, rows at risk, what cannot be undone, time; changes nothing",
    )
    .option("-s, --stack <name>", "stack (default: the only one)")
    .option("--to <release>", "release to roll back to")
    .option("--scope <name>", "scope of the rollback (default: the system's)")
    .option("--service <name>", "service, for a scope of one service")
    .option("--snapshot <name@n>", "exact snapshot for scopes that restore data")
    .option("--with <name=value...>", "arguments of the repair, for scopes that repair data in place")
    .option("--new-writes <what>", `rows written since: ${NEW_WRITES_IN_WORDS} (default: as declared)`)
    .option("--exact", "count every row at risk, also in large tables")
    .option("--json", "one JSON document on standard output")
    .action(async (options: Options) => {
      await finish(
        options.json,
        async () => {
          const found = stackFile(options.stack);
          const before = await openStack(found);
          const wished = [options.to, options.scope, options.service, options.with, options.newWrites, options.snapshot];
          const after = wished.every((wish) => wish === undefined)
            ? before
            : await openStack(found, await rollbackText(before, { ...options, assume: true }, await standingOf(before)));
          return previewOf(before, after, options.exact === true);
        },
        (outcome) => tellPreview(outcome, (line) => print(`${line}\n`)),
        ({ refused }) => (refused.length === 0 ? true : "refused"),
      );
    });
}
