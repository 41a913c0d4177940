/** The report in a terminal. */
import { earlierMedian, isOverBudget, type DrillReport, type Status } from "../../state/drill-reports/schema.ts";
import { changesInWords } from "../../databases/shared/at-risk.ts";
import { ofBudget, oneLine } from "./words.ts";
import { inMilliseconds, inSeconds } from "../../state/drill-reports/durations.ts";

const CODES = { passed: "32", failed: "31", skipped: "2", strong: "1" } as const;

/** Colours only for a terminal, and not if NO_COLOR is set. */
export function wantsColor(stream: { isTTY?: boolean }, environment: NodeJS.ProcessEnv = process.env): boolean {
  return stream.isTTY === true && !environment.NO_COLOR;
}

export function summary(report: DrillReport, { color }: { color: boolean }): string {
  const paint = (kind: keyof typeof CODES, text: string): string => (color ? `\u001b[${CODES[kind]}m${text}\u001b[0m` : text);
  const { rollback } = report;
  const lines = [
    `${paint("strong", `Drill ${oneLine(report.runId)}`)}  ${oneLine(report.system)} on ${oneLine(report.target)}, scope ${oneLine(report.scope)}, fault ${report.fault === null ? "none" : oneLine(report.fault)}`,
    "",
    ...columns(
      ["phase", "time", "budget", "used", "earlier", "status"],
      report.phases.map((phase) => [
        oneLine(phase.name),
        inSeconds(phase.seconds),
        phase.budgetSeconds === null ? "-" : inSeconds(phase.budgetSeconds),
        ofBudget(phase.seconds, phase.budgetSeconds) ?? "-",
        earlierMedian(report, phase.name, "-"),
        // The last column is not padded, so colours shift nothing.
        paint(phase.status, isOverBudget(phase) ? `${phase.status}, over budget` : phase.status),
      ]),
    ),
    "",
  ];
  if (rollback === null) lines.push("The drill ended before its rollback.");
  else {
    const risk = Object.entries(rollback.rowsAtRisk).map(([table, changes]) => `  ${oneLine(table)}: ${changesInWords(changes)}`);
    lines.push(
      `Rollback ${oneLine(rollback.from)} → ${oneLine(rollback.to)}, data ${oneLine(rollback.data)}: ${inSeconds(rollback.seconds)}, ` +
        `cut-over ${rollback.cutOverMs === null ? "none" : inMilliseconds(rollback.cutOverMs)}, writes unavailable ${inMilliseconds(rollback.unavailableMs)}`,
      `Rows at risk${risk.length === 0 ? ": none" : ""}; exported in ${rollback.exported.length} files; lost: ${rollback.rowsLost}`,
      ...risk,
    );
  }
  const tally = (status: Status): number => report.checks.filter((check) => check.status === status).length;
  lines.push(`Checks: ${tally("passed")} passed, ${tally("failed")} failed, ${tally("skipped")} skipped`);
  for (const check of report.checks)
    if (check.status === "failed") lines.push(`  ${paint("failed", "failed")} ${oneLine(check.name)}: ${oneLine(check.detail)}`);
  if (report.problem !== null) lines.push(`Problem: ${oneLine(report.problem)}`);
  lines.push("", `${paint(report.verdict, report.verdict.toUpperCase())} in ${inSeconds(report.seconds)}  ${oneLine(report.report)}`);
  return `${lines.join("\n")}\n`;
}

/** First column to the left, figures to the right, the last as it is. */
function columns(head: string[], rows: string[][]): string[] {
  const widths = head.map((cell, column) => Math.max(cell.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const line = (row: string[]): string =>
    row
      .map((cell, column) =>
        column === 0 ? cell.padEnd(widths[column] ?? 0) : column === row.length - 1 ? cell : cell.padStart(widths[column] ?? 0),
      )
      .join("  ");
  return [head, ...rows].map(line);
}
