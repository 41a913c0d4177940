/** Runs the system's own migration command, and holds it to what it was run for. */
import { CommandFailedError, endLeftCommand, runCommand } from "../../../processes/command.ts";
import { printable } from "../../../config/errors.ts";
import type { Run } from "../../../config/run.ts";

/** How the command reaches the database. */
export interface ToolPlace {
  url: string;
  /** Absolute path of a SQLite file. Absent: it is none. */
  file?: string;
  /** Texts that the journal must not show. */
  secrets: readonly string[];
}

export interface ToolWork extends ToolPlace {
  database: string;
  direction: "up" | "down";
  /** The newest migration that shall be applied afterwards; null: none shall be. */
  schema: string | null;
  release: string;
}

/** The command ended well and the ledger does not say what it was run for. */
export class ToolMissedError extends Error {
  readonly command: string;
  constructor(command: string, database: string, what: string) {
    super(
      `\`${command}\` ended with exit code 0, but ${what} in the ledger of ${database}: make it go to $BACKOUT_SCHEMA, ` +
        "then run the same command again",
    );
    this.name = "ToolMissedError";
    this.command = command;
  }
}

/** @returns the end of its output. @throws CommandFailedError */
export async function runTool(run: Run, work: ToolWork): Promise<string[]> {
  const { database, direction, schema, release, url, file, secrets } = work;
  const command = commandOf(run, database, direction)!;
  return runCommand({
    command,
    folder: run.site.project,
    environment: {
      [run.definition.databases[database]!.urlVariable ?? "DATABASE_URL"]: url,
      ...(file === undefined ? {} : { DATABASE_FILE: file }),
      BACKOUT_SCHEMA: schema ?? "",
      BACKOUT_RELEASE: release,
    },
    marker: markerOf(run, database),
    secrets,
    onLine: (line) => run.log("info", `${database}: ${printable(line)}`),
  });
}

const markerOf = ({ site }: Pick<Run, "site">, database: string): string => `${site.home}/${database}`;

/** Ends the commands that a run which was killed left at work: whatever comes now, goes on or goes back. */
export async function endLeftTools(run: Run): Promise<void> {
  for (const database of Object.keys(run.definition.databases)) await endLeftCommand(markerOf(run, database));
}

/** Null: the scripts are run by backout. */
export function commandOf({ definition }: Pick<Run, "definition">, database: string, direction: "up" | "down"): string | null {
  const { migrate, migrateDown } = definition.databases[database]!;
  return (direction === "up" ? migrate : migrateDown) ?? null;
}

export { CommandFailedError };
