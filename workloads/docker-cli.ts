/** Runs the `docker` command, never through a shell. */
import { execFile, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { createArguments, splitEnvironment, type ContainerSpec } from "./docker-commands.ts";
import { DockerCommandError, DockerUnreachableError, EnvironmentValueError } from "./docker-errors.ts";

export interface DockerOptions {
  /** Values of the variables named in the arguments. */
  environment?: Record<string, string>;
  timeoutMs?: number;
  signal?: AbortSignal;
}

const TIMEOUT_MS = 60_000;
const OUTPUT_BYTES = 64 * 1024 * 1024;
const UNREACHABLE =
  /cannot connect to the docker daemon|error during connect|failed to connect to the docker api|permission denied while trying to connect|is the docker daemon running/i;

/**
 * Resolves with what the command printed.
 * @throws DockerUnreachableError, DockerCommandError
 */
export function docker(args: string[], options: DockerOptions = {}): Promise<string> {
  const { environment = {}, timeoutMs = TIMEOUT_MS, signal } = options;
  return new Promise((resolve, reject) => {
    const settings = {
      env: { ...process.env, ...environment },
      timeout: timeoutMs,
      maxBuffer: OUTPUT_BYTES,
      ...(signal === undefined ? {} : { signal }),
    };
    execFile("docker", args, settings, (error, stdout, stderr) => {
      if (error === null) resolve(stdout.trim());
      else reject(failure(args, error, stderr, timeoutMs));
    });
  });
}

/** Creates a container and resolves with its id. Values are passed in the command's environment or a file that only its owner can read. */
export async function createContainer(spec: ContainerSpec): Promise<string> {
  const { passed, filed } = splitEnvironment(spec.environment);
  if (Object.keys(filed).length === 0) return docker(createArguments(spec, null), { environment: passed });
  const folder = mkdtempSync(join(tmpdir(), "backout-env-"));
  try {
    const file = join(folder, "env");
    writeFileSync(file, envFileText(filed), { mode: 0o600 });
    return await docker(createArguments(spec, file), { environment: passed });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Docker reads each line literally, without quotes. */
export function envFileText(environment: Record<string, string>): string {
  return Object.entries(environment)
    .map(([name, value]) => {
      if (/[\r\n]/.test(value)) throw new EnvironmentValueError(name);
      return `${name}=${value}\n`;
    })
    .join("");
}

/** The last lines of a command's standard error, read as a stream: a log can be larger than memory. */
export async function lastErrorLines(args: string[], lines: number): Promise<string[]> {
  const child = spawn("docker", args, { stdio: ["ignore", "ignore", "pipe"] });
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once("error", (error) => reject(failure(args, error, "", TIMEOUT_MS)));
    child.once("close", resolve);
  });
  ended.catch(() => undefined);
  const kept: string[] = [];
  for await (const line of createInterface({ input: child.stderr })) {
    kept.push(line);
    if (kept.length > Math.max(lines, 1)) kept.shift();
  }
  if ((await ended) !== 0) throw failure(args, new Error("it ended early"), kept.join("\n"), TIMEOUT_MS);
  return lines <= 0 ? [] : kept;
}

/** True if Docker answered "no such …". */
export function isAbsent(error: unknown): boolean {
  return error instanceof DockerCommandError && /no such (?:container|image|object)/i.test(error.detail);
}

function failure(args: string[], error: Error & { code?: unknown; killed?: boolean }, stderr: string, timeoutMs: number): Error {
  const command = ["docker", ...args].join(" ");
  if (error.code === "ENOENT") return new DockerUnreachableError(command, "no `docker` command found on the PATH");
  const detail = stderr.trim() || (error.killed === true ? `it did not end within ${Math.round(timeoutMs / 1000)} s` : error.message);
  if (UNREACHABLE.test(detail)) return new DockerUnreachableError(command, detail);
  return new DockerCommandError(command, detail);
}
