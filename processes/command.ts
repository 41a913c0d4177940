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

/** What a shell does itself, with no program. */
const BUILTINS = /^(?:cd|echo|printf|pwd|set|true|umask|unset|:)$/;

/** A line with one of them is not judged: it may run something by another word than its first. */
const OTHER_WORDS = /^(?:\.|case|command|eval|exec|export|for|if|source|test|time|trap|until|while|\[|!)$/;

/** From here on a line is no list of commands whose programs stand in it: a quote, a substitution, a group, a redirection, a comment. */
const BEYOND_WORDS = /["'`$(){}<#\\]/;

/**
 * Why a line for the shell cannot work, as far as that is seen without running it: a program that is not there.
 * @param folder where it would run. @returns null: nothing is known against it
 */
export function missingProgram(command: string, folder: string): string | null {
  const seen = command.split(BEYOND_WORDS)[0]!;
  let place = folder;
  for (const part of seen.split(/&&|\|\||[;|\n]/)) {
    const [word, next] = part.trim().split(/\s+/);
    if (word === undefined || word === "" || BUILTINS.test(word)) {
      if (word === "cd") place = resolve(place, next ?? "");
      continue;
    }
    const known = seen.length === command.length || !seen.endsWith(part) || part.trimStart().includes(" ");
    if (!known || !/^[\w./@+-]+$/.test(word) || OTHER_WORDS.test(word)) return null;
    try {
      findProgram(word, { folder: place, path: process.env["PATH"] ?? "" });
    } catch (error) {
      if (error instanceof ProgramError) return error.message;
      throw error;
    }
  }
  return null;
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
