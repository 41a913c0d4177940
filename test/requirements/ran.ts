/** What a run of the tests really did, as it is written down while it runs. */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { DrillReport } from "../../state/drill-reports/schema.ts";

export type Outcome = "passed" | "failed" | "skipped";

export interface RanTest {
  /** Full name, its suites first, with ` > ` between. */
  name: string;
  outcome: Outcome;
  /** Why it was skipped. */
  reason?: string;
}

export interface RanFile {
  /** Errors outside of its tests; a file with any counts as failed. */
  errors: number;
  tests: RanTest[];
}

export interface Ran {
  /** Pattern the tests were chosen by; null: all of a file. */
  pattern: string | null;
  /** By path below the project's folder. */
  files: Record<string, RanFile>;
}

const KEPT_RUNS = 20;

/** A new folder for the record of a run; the oldest ones go. */
export function beginRecord(project: string): string {
  const runs = join(project, "reports", "ran");
  const folder = join(runs, `${new Date().toISOString().replaceAll(/[-:.]/g, "")}-${process.pid}`);
  mkdirSync(folder, { recursive: true });
  for (const name of readdirSync(runs).sort().slice(0, -KEPT_RUNS)) rmSync(join(runs, name), { recursive: true, force: true });
  return folder;
}

export function writeRan(folder: string, ran: Ran): void {
  writeWhole(join(folder, "tests.json"), ran);
}

export function readRan(folder: string): Ran {
  return JSON.parse(readFileSync(join(folder, "tests.json"), "utf8")) as Ran;
}

/** The drills that a test of this run has had carried out. */
export function writeDrills(folder: string, drills: readonly DrillReport[]): void {
  writeWhole(join(folder, "drills.json"), drills);
}

/** Empty where no test of this run carried drills out. */
export function readDrills(folder: string): DrillReport[] {
  try {
    return JSON.parse(readFileSync(join(folder, "drills.json"), "utf8")) as DrillReport[];
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

function writeWhole(file: string, value: unknown): void {
  writeFileSync(`${file}.partial`, JSON.stringify(value, null, 1));
  renameSync(`${file}.partial`, file);
}
