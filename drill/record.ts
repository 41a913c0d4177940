/** What is remembered of a drill while it runs, so that the next start finds what a killed one left: `<project>/.backout/drills/<runId>/drill.json`. */
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
  /** Start of the runner's process: its pid alone may mean somebody else by now. */
  startTime: z.string(),
  startedAt: z.string(),
  /** The phase it is in. */
  phase: z.string(),
  /** Left standing on purpose (`--keep`): removed when asked for, and not before. */
  kept: z.boolean(),
});
export type DrillRecord = z.infer<typeof recordSchema>;

export interface KnownDrill {
  folder: string;
  /** Null where the record cannot be read. */
  record: DrillRecord | null;
  running: boolean;
}

export function drillsFolder(project: string): string {
  return join(project, ".backout", "drills");
}

/** Makes the folder of a drill. It appears with its record in it: one without a record is damaged, never new. */
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
    // One that is just being made has no record yet.
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
