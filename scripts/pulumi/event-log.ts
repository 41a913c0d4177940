/**
 * The engine's events while it works, in their order: its display for people shows only a resource's latest line. Not through the automation API:
 * it starts the engine in the verb's process group, where a Ctrl-C reaches it twice, and runs it twice more to read outputs.
 */
import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { EngineEvent } from "@pulumi/pulumi/automation/events.js";

export interface Diagnostic {
  /** Resource it is said of; null: of none. */
  urn: string | null;
  severity: "debug" | "info" | "warning" | "error";
  message: string;
}

const LOOK_EVERY_MS = 100;

export interface EventLog {
  /** Of the engine: where it writes. */
  arguments: string[];
  environment: NodeJS.ProcessEnv;
  /** Reads to the end. @returns why events may be missing, in words; null: all could be written. */
  end(): string | null;
}

/** There is no place for temporary files. */
export class NoTemporaryFolderError extends Error {
  constructor(folder: string, problem: string) {
    super(
      `a folder for the engine's events cannot be made in ${folder} (${problem}): set TMPDIR to a folder that can be written to, then run the same command again`,
    );
    this.name = "NoTemporaryFolderError";
  }
}

function temporaryFolder(): string {
  try {
    return mkdtempSync(join(tmpdir(), "backout-events-"));
  } catch (error) {
    throw new NoTemporaryFolderError(tmpdir(), (error as NodeJS.ErrnoException).code ?? (error as Error).message);
  }
}

/**
 * Follows the engine's log of events. The caller starts the engine with its arguments and environment.
 * @throws NoTemporaryFolderError
 */
export function followEvents(onEvent: (event: EngineEvent) => void): EventLog {
  const folder = temporaryFolder();
  const path = join(folder, "events.jsonl");
  const file = openSync(path, "a+", 0o600);
  let rest = Buffer.alloc(0);
  let at = 0;
  const read = (): void => {
    const chunk = Buffer.alloc(65_536);
    for (let length: number; (length = readSync(file, chunk, 0, chunk.length, at)) > 0; at += length)
      rest = Buffer.concat([rest, chunk.subarray(0, length)]);
    for (let end: number; (end = rest.indexOf("\n")) >= 0; rest = rest.subarray(end + 1)) {
      const event = eventIn(rest.subarray(0, end).toString("utf8"));
      if (event !== null) onEvent(event);
    }
  };
  const looking = setInterval(read, LOOK_EVERY_MS);
  return {
    arguments: ["--event-log", path],
    // The engine takes that option only with this variable.
    environment: { PULUMI_DEBUG_COMMANDS: "true" },
    end: () => {
      clearInterval(looking);
      read();
      const problem = cannotWrite(file);
      closeSync(file);
      rmSync(folder, { recursive: true, force: true });
      return problem === null ? null : `the engine's events could not be written to ${folder} (${problem})`;
    },
  };
}

/** Why nothing more can be written to a file, such as ENOSPC; null: it can. The engine does not say that it could not write an event. */
export function cannotWrite(file: number): string | null {
  const block = Buffer.alloc(4096, "\n");
  try {
    return writeSync(file, block) === block.length ? null : "ENOSPC";
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? (error as Error).message;
  }
}

/** The event of one line; null where the line is none. */
export function eventIn(line: string): EngineEvent | null {
  try {
    return JSON.parse(line) as EngineEvent;
  } catch {
    return null;
  }
}

/** What an event says; null where it says nothing. */
export function diagnosticIn({ diagnosticEvent: said }: EngineEvent): Diagnostic | null {
  if (said === undefined) return null;
  // With the engine's own marks for colours.
  const message = said.message.replaceAll(/<\{%[^%]*%\}>/g, "").trim();
  return { urn: said.urn ?? null, severity: said.severity === "info#err" ? "info" : said.severity, message };
}
