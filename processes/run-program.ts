/** Runs a program to its end, within a limit, in a process group of its own: whatever it started is gone afterwards. */
import { spawn } from "node:child_process";

export interface ProgramRequest {
  /** Program and arguments; a program with a slash is relative to `folder`. Never a secret: everybody on the machine can read it. */
  command: readonly string[];
  /** Working folder. */
  folder: string;
  /** Besides that of this process without what is backout's and the engine's. Secrets belong here. */
  environment: Readonly<Record<string, string>>;
  /** For its standard input. @default nothing */
  input?: string;
  timeoutMs: number;
}

export interface ProgramResult {
  /** Null: it was ended by a signal. */
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
  /** It took longer than its limit and was ended. */
  timedOut: boolean;
  durationMs: number;
}

/** The program could not be started. */
export class ProgramNotStartedError extends Error {
  readonly command: readonly string[];
  constructor(command: readonly string[], cause: Error & { code?: string }) {
    const [program = ""] = command;
    const why =
      cause.code === "ENOENT" ? "not found" : cause.code === "EACCES" ? `not executable: run \`chmod +x ${program}\`` : cause.message;
    super(`${program}: ${why}`, { cause });
    this.name = "ProgramNotStartedError";
    this.command = command;
  }
}

/** Variables of backout and the engine: they hold passphrases, passwords and secrets. */
const OWN = /^(?:BACKOUT|PULUMI)_/;
/** What is kept of each output. */
const KEPT_BYTES = 1024 * 1024;
/** Time to end in an orderly way after the limit. Milliseconds. */
const GRACE_MS = 2_000;

const running = new Set<number>();
const killRunning = (): void => running.forEach((group) => signalAll(group, "SIGKILL"));

/** @throws ProgramNotStartedError */
export async function runProgram({ command, folder, environment, input, timeoutMs }: ProgramRequest): Promise<ProgramResult> {
  const [program = "", ...parameters] = command;
  const inherited = Object.fromEntries(Object.entries(process.env).filter(([name]) => !OWN.test(name)));
  const began = performance.now();
  const child = spawn(program, parameters, {
    cwd: folder,
    env: { ...inherited, ...environment },
    detached: true,
    stdio: ["pipe", "pipe", "pipe"],
  });
  const group = child.pid;
  const failed = new Promise<never>((_, reject) => child.once("error", (error) => reject(new ProgramNotStartedError(command, error))));
  if (group === undefined) return failed;
  failed.catch(() => undefined);
  remember(group);
  const outputs = [keep(child.stdout), keep(child.stderr)] as const;
  // A program that reads no input may have closed it.
  child.stdin.on("error", () => undefined);
  child.stdin.end(input ?? "");
  let timedOut = false;
  let killing: NodeJS.Timeout | undefined;
  const limit = setTimeout(() => {
    timedOut = true;
    signalAll(group, "SIGTERM");
    killing = setTimeout(() => signalAll(group, "SIGKILL"), GRACE_MS);
  }, timeoutMs);
  const closed = new Promise<void>((resolve) => child.once("close", () => resolve()));
  const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve) =>
    child.once("exit", (...how) => resolve(how)),
  );
  clearTimeout(limit);
  clearTimeout(killing);
  // What it left behind would hold its output open.
  signalAll(group, "SIGKILL");
  forget(group);
  await closed;
  const [stdout, stderr] = outputs.map((output) => output());
  return { code, signal, stdout: stdout!, stderr: stderr!, timedOut, durationMs: Math.round(performance.now() - began) };
}

function keep(stream: NodeJS.ReadableStream): () => string {
  const chunks: Buffer[] = [];
  let bytes = 0;
  stream.on("data", (chunk: Buffer) => {
    if (bytes < KEPT_BYTES) chunks.push(chunk.subarray(0, KEPT_BYTES - bytes));
    bytes += chunk.length;
  });
  return () => Buffer.concat(chunks).toString("utf8");
}

/** A group of its own is not reached by Ctrl-C: it ends with this process. */
function remember(group: number): void {
  if (running.size === 0) process.on("exit", killRunning);
  running.add(group);
}

function forget(group: number): void {
  running.delete(group);
  if (running.size === 0) process.off("exit", killRunning);
}

function signalAll(group: number, name: NodeJS.Signals): void {
  try {
    process.kill(-group, name);
  } catch {
    // Nothing of it is left.
  }
}

/** How it ended, in words; null: with exit code 0. */
export function failureOf(
  { code, signal, timedOut }: Pick<ProgramResult, "code" | "signal" | "timedOut">,
  timeoutMs: number,
): string | null {
  if (timedOut) return `did not end within ${timeoutMs / 1000} s and was ended`;
  if (signal !== null) return `was ended by ${signal}`;
  return code === 0 ? null : `ended with exit code ${code}`;
}
