import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { onLeave } from "./leave.ts";

export interface RunOptions {
  cwd?: string;
  env?: NodeJS.ProcessEnv;
  /** After this many milliseconds the command and its children are ended. Default: never. */
  limitMs?: number;
  onErrorLine?: (line: string) => void;
}

export interface Ran {
  stdout: string;
  stderr: string;
}

/** A command could not be started, ended with another code than 0, or took longer than its limit. */
export class CommandFailedError extends Error {
  override readonly name = "CommandFailedError";
  readonly command: string;
  readonly stderr: string;
  /** Exit code; null: it did not end by itself. */
  readonly code: number | null;

  constructor(command: string, reason: string, stderr: string, code: number | null = null) {
    super(`\`${command}\` ${reason}`);
    this.command = command;
    this.stderr = stderr;
    this.code = code;
  }

  /** The end of what the command wrote to standard error: where tools say what went wrong. */
  lastLines(): string {
    const lines = this.stderr.trim().split("\n");
    return lines.slice(-4).join("\n             ");
  }
}

/** Runs a command to its end and returns what it wrote. It dies with this process, and so do its children. */
export async function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const shown = [command, ...args.slice(0, 1)].join(" ");
  const child = spawn(command, args, {
    cwd: options.cwd,
    env: options.env ?? process.env,
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  const endGroup = () => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
    } catch {
      // Nobody is left in the group.
    }
  };
  const stay = onLeave(endGroup);
  let stdout = "";
  let stderr = "";
  let late = false;
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  createInterface({ input: child.stderr }).on("line", (line) => {
    stderr += `${line}\n`;
    options.onErrorLine?.(line);
  });
  const limit = options.limitMs === undefined ? undefined : setTimeout(() => ((late = true), endGroup()), options.limitMs);
  try {
    const { code, signal } = await new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve, reject) => {
      child.once("error", reject).once("close", (code, signal) => resolve({ code, signal }));
    });
    if (late) throw new CommandFailedError(shown, `was ended after ${Math.round((options.limitMs ?? 0) / 1000)} s`, stderr);
    if (code !== 0) throw new CommandFailedError(shown, signal ? `was ended by ${signal}` : `failed with code ${code}`, stderr, code);
    return { stdout, stderr };
  } catch (error) {
    if (error instanceof CommandFailedError) throw error;
    throw new CommandFailedError(shown, `could not be started: ${(error as Error).message}`, stderr);
  } finally {
    clearTimeout(limit);
    stay();
  }
}
