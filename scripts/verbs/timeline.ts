/** A rollout in lines for a person: phases against budget, checks, exported rows, next step. */
import type { RolloutOutcome } from "../pulumi/roll-out.ts";
import { painted, print } from "../pulumi/outcome.ts";

export function timelineLines(outcome: RolloutOutcome): string[] {
  if (outcome.unchanged && outcome.corrected)
    return [`${outcome.to} runs as it opened last (rollout ${outcome.epoch}): what did not run as pinned was corrected`];
  if (outcome.unchanged) return [`unchanged: ${outcome.to} opened last (rollout ${outcome.epoch}); nothing was stopped`];
  const lines = [
    `${outcome.from ?? "nothing"} → ${outcome.to}${outcome.scope === null ? "" : ` (${outcome.scope})`} in ${outcome.seconds.toFixed(1)} s, run ${outcome.runId}`,
  ];
  for (const { name, seconds, budgetSeconds, status } of outcome.phases)
    lines.push(
      `  ${name.padEnd(9)} ${seconds.toFixed(2).padStart(8)} s${budgetSeconds === null ? "" : ` of ${budgetSeconds} s`}${status === "done" ? "" : `  ${status}`}`,
    );
  if (outcome.cutOverMs !== null) lines.push(`  data cut over in ${outcome.cutOverMs} ms; the old database is ${outcome.quarantine}`);
  for (const line of outcome.wentAlong) lines.push(`  ${line}`);
  for (const { name, status, detail } of outcome.checks) if (status !== "passed") lines.push(`  check ${name}: ${status}: ${detail}`);
  const count = (which: string): number => outcome.checks.filter(({ status }) => status === which).length;
  const skipped = count("skipped") === 0 ? "" : `, ${count("skipped")} skipped`;
  if (outcome.checks.length > 0) lines.push(`  ${count("passed")} of ${outcome.checks.length} checks passed${skipped}`);
  for (const { path, rows } of outcome.exported) if (path.endsWith(".jsonl")) lines.push(`  exported ${rows} rows written since: ${path}`);
  for (const { database, tables, leftOut } of outcome.putBack) {
    const sum = (count: (table: (typeof tables)[string]) => number): number =>
      Object.values(tables).reduce((all, table) => all + count(table), 0);
    lines.push(
      `  put back into ${database}: ${sum(({ inserted }) => inserted)} inserted, ${sum(({ updated }) => updated)} updated, ${sum(({ deleted }) => deleted)} deleted, ${sum(({ unchanged }) => unchanged)} unchanged`,
      ...leftOut.map((line) => `  ${line}`),
    );
  }
  if (outcome.failure !== null) lines.push(painted("red", outcome.failure));
  return lines;
}

export function tellTimeline(outcome: RolloutOutcome): void {
  print(`${timelineLines(outcome).join("\n")}\n`);
}
