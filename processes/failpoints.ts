/**
 * Points where a test can pause a run, to kill it or to interfere. Without `BACKOUT_FAILPOINT` in the environment they do nothing.
 *
 * `BACKOUT_FAILPOINT=<name>` with `BACKOUT_FAILPOINT_FOLDER=<folder>`: at `<name>` the run writes `<folder>/<name>.reached` and waits for
 * `<folder>/<name>.go`. A name is `<phase>.before` or `<phase>.after`, which is the phase's first step, that of one step (`stepPoint`), or
 * a place inside a step.
 */
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** The point before or after one step of a phase; a name of a file as well. */
export function stepPoint(phase: string, step: string, when: "before" | "after"): string {
  return `${phase}.${step.replaceAll(/[^\w.@-]+/g, "-")}.${when}`;
}

export async function failpoint(name: string): Promise<void> {
  const folder = process.env["BACKOUT_FAILPOINT_FOLDER"];
  if (process.env["BACKOUT_FAILPOINT"] !== name || folder === undefined) return;
  if (existsSync(join(folder, `${name}.reached`))) return;
  writeFileSync(join(folder, `${name}.reached`), String(process.pid));
  while (!existsSync(join(folder, `${name}.go`))) await new Promise((resolve) => setTimeout(resolve, 20));
}
