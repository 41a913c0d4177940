/** Runs a user's command to its end in a process group of its own, which ends with the run that started it. */
import { spawn } from "node:child_process";
import { resolve } from "node:path";
import { createInterface } from "node:readline";
import { end } from "./end.ts";
import { findProgram, ProgramError } from "./program.ts";
import { findByEnvironment, liveProcesses, lookUp, signalGroup, type LiveProcess } from "./identity.ts";

/** Environment variable by which a command of a run that was killed is found. */
const MARKER = "BACKOUT_COMMAND";

/** Lines that are kept of a command's output. */
const KEPT_LINES = 200;

/** Lines that the message of a failure repeats. */
const TOLD_LINES = 8;

export interface CommandSpec {
  /** For a shell. */
  command: string;
  folder: string;
  /** Over the environment of this process. */
  environment: Readonly<Record<string, string>>;
  /** The same for every attempt of the same work: one that still runs is ended first. */
  marker: string;
  /** Texts that no line may show. */
  secrets: readonly string[];
  /** Called with each line of the output as it comes. */
  onLine?: (line: string) => void;
}

/** A command ended with another exit code than 0. */
export class CommandFailedError extends Error {
  readonly command: string;
  /** Null: ended by a signal. */
  readonly exitCode: number | null;
  /** The end of its output. */
  readonly lines: readonly string[];
  constructor(command: string, exitCode: number | null, signal: string | null, lines: readonly string[]) {
    const how = exitCode === null ? `was ended by ${signal ?? "a signal"}` : `ended with exit code ${exitCode}`;
    const told = lines.slice(-TOLD_LINES);
    super(`\`${command}\` ${how}${told.length === 0 ? " and wrote nothing" : `: ${told.join(" | ")}`}`);
    this.name = "CommandFailedError";
    this.command = command;
    this.exitCode = exitCode;
    this.lines = lines;
  }
}

/** What a POSIX shell does itself, with no program, and words of its grammar. */
const OF_THE_SHELL = new Set(
  (
    "! . : [ alias bg break case cd command continue do done echo elif else esac eval exec exit export false fc fg fi for function getopts hash if " +
    "in jobs kill let local printf pwd read readonly return select set shift source test then time times trap true type ulimit umask unalias " +
    "unset until wait while"
  ).split(" "),
);

/** A first command in plain words, in the folders that plain `cd`s before it lead to. What follows it may have been made by it. */
const FIRST = /^\s*((?:cd +[\w./][\w./@+-]* *&& *)*)([\w./][\w./@+-]*)(?=\s|;|&|$)(?!\s*\()/;

/**
 * Why a line for the shell cannot work, as far as that is certain without running it: its first program is not there.
 * @param folder where it would run. @returns null: nothing is known against it
 */
export function missingProgram(command: string, folder: string): string | null {
  const [, steps = "", program = ""] = FIRST.exec(command) ?? [];
  // A line with an alternative may be meant for machines without the program.
  if (program === "" || OF_THE_SHELL.has(program) || command.includes("|")) return null;
  const place = resolve(folder, ...[...steps.matchAll(/cd +([\w./@+-]+)/g)].map(([, to]) => to!));
  try {
    findProgram(program, { folder: place, path: process.env["PATH"] ?? "" });
    return null;
  } catch (error) {
    if (error instanceof ProgramError) return error.message;
    throw error;
  }
}

const running = new Set<LiveProcess>();

/** Ends every command that runs, each with its group: the run is interrupted. */
export function endCommands(): void {
  for (const leader of running) signalGroup(leader, "SIGKILL");
}

process.on("exit", endCommands);

/**
 * Runs it. Whatever it left in its group is ended as well. @returns the end of its output, standard error included
 * @throws CommandFailedError
 */
export async function runCommand(spec: CommandSpec): Promise<string[]> {
  await endLeftCommand(spec.marker);
  const child = spawn("/bin/sh", ["-c", spec.command], {
    cwd: spec.folder,
    env: { ...inherited(), ...spec.environment, [MARKER]: spec.marker },
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const leader = child.pid === undefined ? null : lookUp(child.pid);
  if (leader !== null) running.add(leader);
  const lines: string[] = [];
  for (const stream of [child.stdout, child.stderr])
    createInterface({ input: stream }).on("line", (text) => {
      const line = spec.secrets.reduce((shown, secret) => (secret === "" ? shown : shown.replaceAll(secret, "***")), text).trimEnd();
      if (line === "") return;
      lines.push(line);
      if (lines.length > KEPT_LINES) lines.shift();
      spec.onLine?.(line);
    });
  try {
    const { code, signal } = await new Promise<{ code: number | null; signal: string | null }>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (code, signal) => resolve({ code, signal }));
      child.once("exit", () => {
        // What it left behind may hold the output open.
        const left = [...liveProcesses().filter(({ group }) => group === child.pid), ...marked(spec.marker)];
        end(spec.command, left, 0).catch(reject);
      });
    });
    if (code !== 0) throw new CommandFailedError(spec.command, code, signal, lines);
    return lines;
  } finally {
    if (leader !== null) running.delete(leader);
  }
}

/** Ends what a run that was killed left of the command with this marker. */
export async function endLeftCommand(marker: string): Promise<void> {
  await end(marker, marked(marker), 0);
}

const marked = (marker: string): LiveProcess[] => findByEnvironment(MARKER, marker).filter(({ value }) => value === marker);

/** The tool gets what its user has in a shell; what backout and the engine keep to themselves stays. */
function inherited(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(BACKOUT_|PULUMI_|NODE_OPTIONS$)/.test(name)));
}
