/**
 * The report as one self-contained page: no script, nothing fetched, readable in dark mode, on paper and without colours. Own code: a
 * template library for one page is not worth it.
 */
import { drawing } from "./drawing.ts";
import { earlierTimes, isOverBudget, reasonsToFail, type DrillReport } from "../../state/drill-reports/schema.ts";
import { html, ofBudget } from "./words.ts";
import { inMilliseconds, inSeconds } from "../../state/drill-reports/durations.ts";

const STYLE = `
:root { color-scheme: light dark; --back: #fff; --text: #1b1f24; --soft: #59636e; --line: #d1d9e0; --passed: #1a7f37; --failed: #cf222e; --skipped: #818b98; --away: #bf870033; }
@media (prefers-color-scheme: dark) { :root { --back: #0d1117; --text: #e6edf3; --soft: #9198a1; --line: #3d444d; --passed: #3fb950; --failed: #f85149; --skipped: #656c76; --away: #d2992244; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 64rem; padding: 2rem 1.25rem; background: var(--back); color: var(--text); font: 1rem/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; margin: 0 0 .25rem; overflow-wrap: anywhere; } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
.soft, .note { color: var(--soft); } .status { font-weight: 600; white-space: nowrap; } .is-passed { color: var(--passed); } .is-failed { color: var(--failed); } .is-skipped { color: var(--soft); }
dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(10rem, 1fr)); gap: .75rem; margin: 1rem 0; } dl div { border: 1px solid var(--line); border-radius: .4rem; padding: .5rem .75rem; }
dt { color: var(--soft); font-size: .85rem; } dd { margin: 0; font-size: 1.15rem; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
.wide { overflow-x: auto; } table { border-collapse: collapse; width: 100%; } th, td { text-align: left; padding: .35rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top; overflow-wrap: anywhere; }
td { white-space: pre-line; } td.figure, th.figure { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
svg { width: 100%; min-width: 40rem; height: auto; font: 12px system-ui, sans-serif; } svg text { fill: var(--text); } svg text.note { fill: var(--soft); }
svg .grid { stroke: var(--line); } svg .away { fill: var(--away); } svg .budget { fill: none; stroke: var(--soft); stroke-dasharray: 3 2; } svg .beyond { fill: none; stroke: var(--soft); }
svg .passed { fill: var(--passed); } svg .failed { fill: var(--failed); } svg .skipped { fill: var(--skipped); }
.why { border-left: .25rem solid var(--failed); padding: .25rem .75rem; }
@media (max-width: 40rem) { body { padding: 1rem .75rem; } svg { min-width: 34rem; } thead { position: absolute; clip-path: inset(50%); } tr { display: block; border-bottom: 1px solid var(--line); padding: .35rem 0; } td, td.figure { display: grid; grid-template-columns: 7rem 1fr; gap: .5rem; border: 0; padding: .15rem 0; text-align: left; white-space: pre-line; } td::before { content: attr(data-label); color: var(--soft); } }
@media print { :root { --back: #fff; --text: #000; --soft: #444; --line: #bbb; } body { max-width: none; padding: 0; font-size: 10pt; } h2 { break-after: avoid; } tr, svg, dl div { break-inside: avoid; } .wide { overflow: visible; } svg { min-width: 0; } * { print-color-adjust: exact; } }
`.trim();

const MARKS = { passed: "✓", failed: "✗", skipped: "–" } as const;

function status(value: keyof typeof MARKS, more = ""): string {
  return `<span class="status is-${value}">${MARKS[value]} ${value}${html(more)}</span>`;
}

function table(head: string[], rows: string[][], figures: readonly number[] = []): string {
  if (rows.length === 0) return '<p class="soft">None.</p>';
  const kind = (index: number): string => (figures.includes(index) ? ' class="figure"' : "");
  // On a narrow screen each row is a card, whose cells say themselves what they are.
  const label = (index: number): string => ` data-label="${html(head[index] ?? "")}"`;
  const body = rows.map(
    (row) => `<tr>${row.map((cell, index) => `<td${kind(index)}${label(index)}><span>${cell}</span></td>`).join("")}</tr>`,
  );
  return [
    '<div class="wide"><table>',
    `<thead><tr>${head.map((cell, index) => `<th scope="col"${kind(index)}>${html(cell)}</th>`).join("")}</tr></thead>`,
    `<tbody>${body.join("\n")}</tbody>`,
    "</table></div>",
  ].join("\n");
}

function figures(entries: [string, string][]): string {
  return `<dl>${entries.map(([name, value]) => `<div><dt>${html(name)}</dt><dd>${html(value)}</dd></div>`).join("\n")}</dl>`;
}

function rollbackSection(report: DrillReport): string {
  const { rollback } = report;
  if (rollback === null) return "<h2>Rollback</h2>\n<p>The drill ended before its rollback.</p>";
  return [
    "<h2>Rollback</h2>",
    figures([
      ["release", `${rollback.from} → ${rollback.to}`],
      ["data", rollback.data],
      ["rollback took", inSeconds(rollback.seconds)],
      ["data cut over in", rollback.cutOverMs === null ? "data stayed" : inMilliseconds(rollback.cutOverMs)],
      ["writes unavailable for", inMilliseconds(rollback.unavailableMs)],
      ["rows lost", String(rollback.rowsLost)],
    ]),
    `<p class="soft">“Rollback took” is the verb's own time, from its lock until users were in again; the phase “rollback” below includes the start of the verb and reading its output.</p>`,
    "<h2>Rows at risk</h2>",
    '<p class="soft">Rows that differed from the snapshot at the preview. The files below hold what was written until the fence closed, every row once in each format.</p>',
    table(
      ["table", "inserted", "updated", "deleted"],
      Object.entries(rollback.rowsAtRisk).map(([name, rows]) => [html(name), `${rows.inserted}`, `${rows.updated}`, `${rows.deleted}`]),
      [1, 2, 3],
    ),
    "<h2>Exported</h2>",
    table(
      ["file", "rows", "sha256"],
      rollback.exported.map((file) => [html(file.path), `${file.rows}`, html(file.sha256)]),
      [1],
    ),
  ].join("\n");
}

function phaseRows(report: DrillReport): string[][] {
  return report.phases.map((phase) => {
    const earlier = earlierTimes(report, phase.name);
    return [
      html(phase.name),
      phase.atSeconds === undefined ? "" : html(clockAt(report, phase.atSeconds)),
      status(phase.status, isOverBudget(phase) ? ", over budget" : ""),
      inSeconds(phase.seconds),
      phase.budgetSeconds === null ? "none" : inSeconds(phase.budgetSeconds),
      html(ofBudget(phase.seconds, phase.budgetSeconds) ?? ""),
      earlier === undefined ? "" : html(`${inSeconds(earlier.medianSeconds)} (${earlier.runs}), last ${inSeconds(earlier.lastSeconds)}`),
    ];
  });
}

/** Time of day of an instant of the drill, UTC. */
function clockAt({ startedAt }: DrillReport, seconds: number): string {
  return new Date(Date.parse(startedAt) + seconds * 1000).toISOString().slice(11, 19);
}

/** Why a drill failed, before everything else. */
function why(report: DrillReport): string[] {
  const reasons = report.verdict === "passed" ? [] : reasonsToFail(report);
  if (reasons.length === 0) return [];
  const items = reasons.map(({ message, path: [part, index] }) => {
    const detail = part === "checks" && typeof index === "number" ? (report.checks[index]?.detail ?? "") : "";
    return `<li>${html(message)}${detail === "" ? "" : `: ${html(detail)}`}</li>`;
  });
  return ['<div class="why">', "<strong>Why it failed</strong>", `<ul>${items.join("")}</ul>`, "</div>"];
}

export function page(report: DrillReport): string {
  const title = `Drill ${report.runId}: ${report.verdict}`;
  const fault =
    report.fault === null ? "no fault" : `fault “${report.fault}”, ${report.faultSeen === null ? "not seen" : `seen: ${report.faultSeen}`}`;
  return [
    "<!DOCTYPE html>",
    '<html lang="en">',
    "<head>",
    '<meta charset="utf-8" />',
    '<meta name="viewport" content="width=device-width, initial-scale=1" />',
    `<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'" />`,
    `<title>${html(title)}</title>`,
    `<style>${STYLE}</style>`,
    "</head>",
    "<body>",
    "<main>",
    `<h1>Drill ${html(report.runId)}: ${status(report.verdict)}</h1>`,
    `<p class="soft">${html(`${report.system} on target ${report.target}, scope ${report.scope}, ${fault}. Started ${report.startedAt}, took ${inSeconds(report.seconds)}.`)}</p>`,
    ...why(report),
    rollbackSection(report),
    "<h2>Timeline</h2>",
    '<p class="soft">Bars are to scale. A dashed frame is the phase’s documented budget; an arrow means that it ends beyond the drawing.</p>',
    `<div class="wide">${drawing(report)}</div>`,
    "<h2>Phases</h2>",
    table(["phase", "at (UTC)", "status", "time", "budget", "used", "earlier median (drills)"], phaseRows(report), [1, 3, 4, 5]),
    "<h2>Checks</h2>",
    table(
      ["check", "status", "detail"],
      report.checks.map((check) => [html(check.name), status(check.status), html(check.detail)]),
    ),
    "<h2>Environment</h2>",
    table(
      ["what", "which"],
      Object.entries(report.environment).map(([name, value]) => [html(name), html(value)]),
    ),
    "</main>",
    "</body>",
    "</html>",
    "",
  ].join("\n");
}
