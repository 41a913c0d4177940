import { writeFileSync } from "node:fs";
import { relative } from "node:path";
import type { Reporter, SerializedError, TestModule } from "vitest/node";

interface Totals {
  passed: number;
  failed: number;
  skipped: { name: string; reason: string }[];
}

/** A file that could not be loaded and an error outside of any test are failures too: their tests did not pass. */
function count(modules: readonly TestModule[], outside: readonly SerializedError[]): Totals {
  const totals: Totals = { passed: 0, failed: outside.length, skipped: [] };
  for (const module of modules) {
    totals.failed += module.errors().length;
    for (const suite of module.children.allSuites()) totals.failed += suite.errors().length;
    for (const test of module.children.allTests()) {
      const result = test.result();
      if (result.state === "passed") totals.passed++;
      else if (result.state === "failed") totals.failed++;
      else {
        const reason = (result.state === "skipped" && result.note) || (result.state === "pending" ? "it was never run" : "no reason given");
        totals.skipped.push({ name: `${relative(process.cwd(), module.moduleId)} > ${test.fullName}`, reason });
      }
    }
  }
  return totals;
}

/**
 * Ends the run with every skipped test and why, and the line `N passed, N failed, N skipped`, which also goes to the file that
 * BACKOUT_TEST_TOTALS names. A run in which nothing was tested is a failure.
 */
export default class TotalsReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], outside: readonly SerializedError[]): void {
    const { passed, failed, skipped } = count(modules, outside);
    for (const { name, reason } of skipped) process.stdout.write(`skipped: ${name}: ${reason}\n`);
    const line = `${passed} passed, ${failed} failed, ${skipped.length} skipped\n`;
    process.stdout.write(line);
    const file = process.env["BACKOUT_TEST_TOTALS"];
    if (file) writeFileSync(file, line);
    if (passed === 0) process.exitCode = 1;
  }
}
