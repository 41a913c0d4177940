/** The record of a started process. Never holds a value of its environment. */
import { createHash } from "node:crypto";
import { existsSync, readFileSync, realpathSync } from "node:fs";
import { join, resolve } from "node:path";
import { z } from "zod";
import { writeAtomically } from "./atomic-file.ts";

const recordSchema = z.object({
  name: z.string(),
  pid: z.number().int().positive(),
  startTime: z.string(),
  release: z.string(),
  configHash: z.string(),
  /** Hash of what else it was started with; absent: unknown. */
  setupHash: z.string().nullish(),
  port: z.number().int().nullable(),
  /** ISO 8601. */
  startedAt: z.string(),
  logFile: z.string(),
  errorFile: z.string(),
  /** Size of the error log when the process was started, bytes: the part before is of an earlier start. */
  errorOffset: z.number().int().nonnegative(),
  command: z.array(z.string()),
});

/** A process as it was started. It may have ended. */
export type ProcessRecord = z.infer<typeof recordSchema>;

/** Environment variable by which a started process is found even without a record. */
export const MARKER = "BACKOUT_PROCESS";

export class ProcessNameError extends Error {
  readonly processName: string;

  constructor(processName: string) {
    super(`"${processName}" cannot name a process: use letters, digits, "-", "_" and ".", starting with a letter or digit`);
    this.name = "ProcessNameError";
    this.processName = processName;
  }
}

export function checkName(name: string): void {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(name)) throw new ProcessNameError(name);
}

/** What every marker of this state folder starts with; the process's name follows. */
export function markerPrefix(stateFolder: string): string {
  const path = existsSync(stateFolder) ? realpathSync(stateFolder) : resolve(stateFolder);
  return `${createHash("sha256").update(path).digest("hex").slice(0, 16)}/`;
}

/** The record of the last start; null: none, or the file is damaged (the marker then finds the process). */
export function readRecord(stateFolder: string, name: string): ProcessRecord | null {
  checkName(name);
  try {
    const parsed = recordSchema.safeParse(JSON.parse(readFileSync(recordFile(stateFolder, name), "utf8")));
    return parsed.success ? parsed.data : null;
  } catch {
    return null;
  }
}

export function writeRecord(stateFolder: string, record: ProcessRecord): void {
  writeAtomically(recordFile(stateFolder, record.name), `${JSON.stringify(record, null, 2)}\n`);
}

/** Updates the record of a process that changed its configuration without a restart. */
export function recordChange(stateFolder: string, name: string, changed: Pick<ProcessRecord, "configHash" | "port">): void {
  const record = readRecord(stateFolder, name);
  if (record !== null) writeRecord(stateFolder, { ...record, ...changed });
}

function recordFile(stateFolder: string, name: string): string {
  return join(stateFolder, `${name}.json`);
}
