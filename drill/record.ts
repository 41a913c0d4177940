/** The record of a running drill, by which the next one finds what a killed drill left: `<project>/.backout/drills/<runId>/drill.json`. */
import { mkdirSync, readdirSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { writeAtomically } from "../processes/atomic-file.ts";
import { isAlive, lookUp } from "../processes/identity.ts";

const recordSchema = z.object({
  runId: z.string(),
  system: z.string(),
  /** Name of the ephemeral stack. */
  stack: z.string(),
  pid: z.number(),
  /** Start time of the runner's process, because its pid may have been reused. */
  startTime: z.string(),
  startedAt: z.string(),
  /** The phase it is in. */
  phase: z.string(),
  /** Kept on purpose (`--keep`): removed only on request. */
  kept: z.boolean(),
});
export type DrillRecord = z.infer<typeof recordSchema>;

export interface KnownDrill {
  folder: string;
  /** Null: the record cannot be read. */
  record: DrillRecord | null;
  running: boolean;
}

export function drillsFolder(project: string): string {
  return join(project, ".backout", "drills");
}

/** Creates the folder of a drill together with its record: a folder without a record is damaged, never new. */
export function beginRecord(project: string, { runId, system, stack }: Pick<DrillRecord, "runId" | "system" | "stack">): string {
  const folder = join(drillsFolder(project), runId);
  const making = join(drillsFolder(project), `.${runId}`);
  mkdirSync(making, { recursive: true, mode: 0o700 });
  const startTime = lookUp(process.pid)?.startTime ?? "";
  const startedAt = new Date().toISOString();
  write(making, { runId, system, stack, pid: process.pid, startTime, startedAt, phase: "prepare", kept: false });
  renameSync(making, folder);
  return folder;
}

export function updateRecord(folder: string, change: Partial<Pick<DrillRecord, "phase" | "kept">>): void {
  const record = readRecord(folder);
  if (record !== null) write(folder, { ...record, ...change });
}

/** Every drill that left its folder, oldest first. */
export function knownDrills(project: string): KnownDrill[] {
  let names: string[];
  try {
    names = readdirSync(drillsFolder(project)).sort();
  } catch {
    return [];
  }
  return names.flatMap((name) => {
    const folder = join(drillsFolder(project), name);
    const record = readRecord(folder);
    // A folder that is being created has no record yet.
    if (record === null && name.startsWith(".")) return [];
    return [{ folder, record, running: record !== null && isAlive({ pid: record.pid, startTime: record.startTime }) }];
  });
}

function readRecord(folder: string): DrillRecord | null {
  try {
    return recordSchema.parse(JSON.parse(readFileSync(join(folder, "drill.json"), "utf8")));
  } catch {
    return null;
  }
}

function write(folder: string, record: DrillRecord): void {
  writeAtomically(join(folder, "drill.json"), `${JSON.stringify(record, null, 2)}\n`);
}
