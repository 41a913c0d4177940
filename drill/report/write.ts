/** A drill's report on disk: `<reports>/<runId>/report.{json,md,html}`. */
import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { markdownReport } from "./markdown.ts";
import { page } from "./page.ts";
import { parseReport, type DrillReport, type DrillReportInput } from "../../state/drill-reports/schema.ts";

export interface WrittenReport {
  report: DrillReport;
  folder: string;
  json: string;
  markdown: string;
  html: string;
}

/**
 * Checks the report, then writes it; `report.report` becomes the path of the HTML page. Nothing is written for a report that contradicts itself.
 * @throws InvalidReportError
 */
export function writeReport(reportsFolder: string, input: Omit<DrillReportInput, "report">): WrittenReport {
  // The id is part of the path, so it is checked before a path is made of it.
  const checked = parseReport({ ...input, report: "" });
  const folder = join(reportsFolder, checked.runId);
  const paths = { json: join(folder, "report.json"), markdown: join(folder, "report.md"), html: join(folder, "report.html") };
  const report = { ...checked, report: paths.html };
  mkdirSync(folder, { recursive: true });
  writeWhole(paths.html, page(report));
  writeWhole(paths.markdown, markdownReport(report));
  // Last: what reads earlier drills looks for this file.
  writeWhole(paths.json, `${JSON.stringify(report, null, 2)}\n`);
  return { report, folder, ...paths };
}

function writeWhole(file: string, text: string): void {
  writeFileSync(`${file}.partial`, text);
  renameSync(`${file}.partial`, file);
}
