/** The log files of a started process: opened at start, read from their end. */
import { closeSync, fstatSync, mkdirSync, openSync, readSync, renameSync, statSync } from "node:fs";
import { join } from "node:path";
import { readRecord } from "./record.ts";

/** A log larger than this at its process's start is rotated; one older file is kept. Bytes. */
const ROTATE_ABOVE_BYTES = 10 * 1024 * 1024;
const CHUNK_BYTES = 64 * 1024;

export interface OpenLogs {
  logFile: string;
  errorFile: string;
  logDescriptor: number;
  errorDescriptor: number;
  /** Size of the error log before the start, bytes. */
  errorOffset: number;
  close(): void;
}

/** Opens both logs of `name` for appending. The caller closes them once the process has them. */
export function openLogs(stateFolder: string, name: string): OpenLogs {
  mkdirSync(stateFolder, { recursive: true, mode: 0o700 });
  const logFile = join(stateFolder, `${name}.out.log`);
  const errorFile = join(stateFolder, `${name}.err.log`);
  for (const file of [logFile, errorFile]) rotate(file);
  const logDescriptor = openSync(logFile, "a", 0o600);
  const errorDescriptor = openSync(errorFile, "a", 0o600);
  return {
    logFile,
    errorFile,
    logDescriptor,
    errorDescriptor,
    errorOffset: fstatSync(errorDescriptor).size,
    close: () => [logDescriptor, errorDescriptor].forEach(closeSync),
  };
}

function rotate(file: string): void {
  if ((statSync(file, { throwIfNoEntry: false })?.size ?? 0) > ROTATE_ABOVE_BYTES) renameSync(file, `${file}.1`);
}

/** The last `lines` lines that the process wrote to its error log since it was last started, and since `mark`, oldest first. */
export function errorLines(stateFolder: string, name: string, lines: number, mark = 0): string[] {
  const record = readRecord(stateFolder, name);
  return lastLines(errorFile(stateFolder, name), lines, Math.max(record?.errorOffset ?? 0, mark));
}

/** Size of the error log now, bytes. */
export function errorLogBytes(stateFolder: string, name: string): number {
  return statSync(errorFile(stateFolder, name), { throwIfNoEntry: false })?.size ?? 0;
}

function errorFile(stateFolder: string, name: string): string {
  return readRecord(stateFolder, name)?.errorFile ?? join(stateFolder, `${name}.err.log`);
}

/** The last lines of a file, read backwards and never before byte `from`; a file shorter than `from` was truncated and is read whole. */
function lastLines(file: string, lines: number, from = 0): string[] {
  let descriptor: number;
  try {
    descriptor = openSync(file, "r");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
  try {
    const size = fstatSync(descriptor).size;
    const first = from > size ? 0 : from;
    const chunks: Buffer[] = [];
    let [position, breaks] = [size, 0];
    // One line break more than requested lines: only then is the oldest line complete.
    while (position > first && breaks <= lines) {
      const length = Math.min(CHUNK_BYTES, position - first);
      const chunk = Buffer.alloc(length);
      readSync(descriptor, chunk, 0, length, position - length);
      position -= length;
      chunks.unshift(chunk);
      for (const byte of chunk) if (byte === 10) breaks += 1;
    }
    const all = Buffer.concat(chunks).toString("utf8").split("\n");
    if (all.at(-1) === "") all.pop();
    return lines <= 0 ? [] : all.slice(-lines);
  } finally {
    closeSync(descriptor);
  }
}
