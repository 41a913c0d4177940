/** The report for a ticket. */
import { earlierMedian, isOverBudget, type DrillReport } from "../../state/drill-reports/schema.ts";
import { markdown, ofBudget } from "./words.ts";
import { inMilliseconds, inSeconds } from "../../state/drill-reports/durations.ts";

function table(head: string[], rows: string[][]): string[] {
  if (rows.length === 0) return ["None.", ""];
  const line = (cells: string[]): string => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line), ""];
}

export function markdownReport(report: DrillReport): string {
  const { rollback } = report;
  const lines = [
    `# Drill ${markdown(report.runId)}: ${report.verdict}`,
    "",
    `- System: ${markdown(report.system)}, target ${markdown(report.target)}, scope ${markdown(report.scope)}`,
    `- Fault: ${report.fault === null ? "none" : `${markdown(report.fault)}, ${report.faultSeen === null ? "not seen" : `seen: ${markdown(report.faultSeen)}`}`}`,
    `- Started ${markdown(report.startedAt)}, took ${inSeconds(report.seconds)}`,
    ...(report.problem === null ? [] : [`- Problem: ${markdown(report.problem)}`]),
    "",
    "## Rollback",
    "",
  ];
  if (rollback === null) lines.push("The drill ended before its rollback.", "");
  else {
    lines.push(
      `${markdown(rollback.from)} → ${markdown(rollback.to)}, data: ${markdown(rollback.data)}, in ${inSeconds(rollback.seconds)}. ` +
        `Data cut over in ${rollback.cutOverMs === null ? "(data stayed)" : inMilliseconds(rollback.cutOverMs)}; writes unavailable for ${inMilliseconds(rollback.unavailableMs)}. ` +
        `**Rows lost: ${rollback.rowsLost}.**`,
      "",
      "Rows at risk:",
      "",
      ...table(
        ["table", "inserted", "updated", "deleted"],
        Object.entries(rollback.rowsAtRisk).map(([name, rows]) => [
          markdown(name),
          `${rows.inserted}`,
          `${rows.updated}`,
          `${rows.deleted}`,
        ]),
      ),
      "Exported:",
      "",
      ...table(
        ["file", "rows", "sha256"],
        rollback.exported.map((file) => [markdown(file.path), `${file.rows}`, file.sha256]),
      ),
    );
  }
  lines.push(
    "## Phases",
    "",
    ...table(
      ["phase", "status", "time", "budget", "used", "earlier (median)"],
      report.phases.map((phase) => [
        markdown(phase.name),
        isOverBudget(phase) ? `${phase.status}, over budget` : phase.status,
        inSeconds(phase.seconds),
        phase.budgetSeconds === null ? "none" : inSeconds(phase.budgetSeconds),
        ofBudget(phase.seconds, phase.budgetSeconds) ?? "",
        earlierMedian(report, phase.name, ""),
      ]),
    ),
    "## Checks",
    "",
    ...table(
      ["check", "status", "detail"],
      report.checks.map((check) => [markdown(check.name), check.status, markdown(check.detail)]),
    ),
  );
  const environment = Object.entries(report.environment);
  if (environment.length > 0)
    lines.push("## Environment", "", ...environment.map(([name, value]) => `- ${markdown(name)}: ${markdown(value)}`), "");
  return `${lines.join("\n").trimEnd()}\n`;
}
