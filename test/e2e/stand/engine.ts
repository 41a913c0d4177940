/** Pulumi and the verbs, as a user runs them; and updates that are held or killed at a failpoint. */
import { spawn, type ChildProcessByStdio } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { editPins, type PinEdit } from "../../../config/edit.ts";
import { serverHome } from "../../../config/site.ts";
import { observeServer } from "../../../databases/postgres/server.ts";
import { isRunning } from "../../../processes/identity.ts";
import { cleanFileBackend } from "../../../scripts/pulumi/file-backend.ts";
import { runPulumi } from "../../../scripts/pulumi/pulumi-run.ts";
import { PROJECT, textOf, until, type Base } from "./base.ts";

/** What one run of the engine came to. */
export interface Update {
  code: number;
  output: string;
  /** Resources by what was done to them, as the engine counts them: `created`, `updated`, `unchanged`, … */
  counts: Record<string, number>;
  seconds: number;
}

export type Victim = "cli" | "provider" | "postgres";

/** An update that stands at a failpoint. */
export interface Standing {
  /** Process id of the provider that stands there. */
  provider: number;
  /** Process id of the CLI. */
  cli: number;
  kill(victim: Victim): void;
  /** Lets whoever is still there go on. */
  go(): void;
  /** The CLI has ended. */
  exited: Promise<void>;
  /** What the engine says, once nobody holds its output open any more. */
  output: Promise<string>;
}

/** An update ended without coming to its failpoint. */
export class NotReachedError extends Error {
  readonly code: number | null;
  constructor(point: string, code: number | null, output: string) {
    super(`the update ended with ${code} without reaching ${point}:\n${output}`);
    this.name = "NotReachedError";
    this.code = code;
  }
}

export interface Interrupted {
  /** Process id of the provider that stood at the failpoint. */
  provider: number;
  /** What the engine said; empty where the CLI itself was killed. */
  output: string;
}

export interface VerbResult<T = Record<string, unknown>> {
  code: number;
  json: T;
  stderr: string;
}

let interruptions = 0;

/** Pulumi and the verbs, as a user runs them. */
export function engineOf({ stack, engine, site }: Base) {
  let selected = false;
  const text = (): string => readFileSync(stack.file, "utf8");
  const pin = (edits: PinEdit[]): void => writeFileSync(stack.file, editPins(text(), edits));
  const select = async (): Promise<void> => {
    if (selected) return;
    selected = true;
    const { code, output } = await runPulumi({
      project: stack.folder,
      stack: stack.stack,
      arguments: ["stack", "select", "--create"],
      environment: stack.environment,
    });
    if (code !== 0) throw new Error(output);
  };
  const pulumi = async (given: string[], environment: NodeJS.ProcessEnv = {}): Promise<Update> => {
    await select();
    const startedAt = performance.now();
    const { code, output } = await runPulumi({
      project: stack.folder,
      stack: stack.stack,
      arguments: given,
      environment: { ...stack.environment, ...environment },
    });
    return { code, output, counts: countsOf(output), seconds: (performance.now() - startedAt) / 1000 };
  };
  const up = (edits: PinEdit[] = [], environment: NodeJS.ProcessEnv = {}): Promise<Update> => {
    pin(edits);
    return pulumi(["up", "--yes", "--skip-preview"], environment);
  };
  /** @throws with the engine's output where it did not succeed. */
  const upWell = async (edits: PinEdit[] = [], environment: NodeJS.ProcessEnv = {}): Promise<Update> =>
    succeeded(await up(edits, environment));
  const child = (file: string, given: string[], environment: NodeJS.ProcessEnv = {}) =>
    spawn(file, given, {
      cwd: stack.folder,
      env: { ...process.env, ...stack.environment, ...environment },
      stdio: ["ignore", "pipe", "pipe"],
    });
  /** Starts an update and waits until it stands at a failpoint. */
  const hold = async (point: string, edits: PinEdit[], runId: string): Promise<Standing> => {
    await select();
    cleanFileBackend(stack.environment["PULUMI_BACKEND_URL"], stack.stack, stack.folder);
    pin(edits);
    const points = await mkdtemp(join(stack.folder, "failpoint-"));
    const environment = {
      ...process.env,
      ...stack.environment,
      BACKOUT_FAILPOINT: point,
      BACKOUT_FAILPOINT_FOLDER: points,
      BACKOUT_RUN_ID: runId,
    };
    const given = ["up", "--yes", "--skip-preview", "--stack", stack.stack, "--non-interactive", "--color", "never"];
    const running = spawn(engine.pulumi, given, { cwd: stack.folder, env: environment, stdio: ["ignore", "pipe", "pipe"] });
    let code: number | null | undefined;
    const output = Promise.all([textOf(running.stdout), textOf(running.stderr)]).then((texts) => texts.join(""));
    const exited = new Promise<void>((resolve) =>
      running.once("exit", (status) => {
        code = status;
        resolve();
      }),
    );
    const reached = join(points, `${point}.reached`);
    await until(`the update stands at ${point}`, () => existsSync(reached) || code !== undefined);
    if (!existsSync(reached)) throw new NotReachedError(point, code ?? null, await output);
    await until("the provider has said who it is", () => readFileSync(reached, "utf8") !== "");
    const provider = Number(readFileSync(reached, "utf8"));
    const pidOf = { cli: () => running.pid!, provider: () => provider, postgres: () => observeServer(serverHome(site)).pid! };
    return {
      provider,
      cli: running.pid!,
      kill: (victim) => void process.kill(pidOf[victim](), "SIGKILL"),
      go: () => writeFileSync(join(points, `${point}.go`), ""),
      exited,
      output,
    };
  };
  /** Starts a verb and waits until its update stands at a failpoint. */
  const holdVerb = async (point: string, verb: string, ...more: string[]) => {
    const points = await mkdtemp(join(stack.folder, "failpoint-"));
    const script = join(PROJECT, "scripts", "backout.ts");
    const given = ["--disable-warning=ExperimentalWarning", script, verb, ...more, "--stack", stack.stack, "--json"];
    const running = child(process.execPath, given, { BACKOUT_FAILPOINT: point, BACKOUT_FAILPOINT_FOLDER: points });
    const output = ended(running);
    const reached = join(points, `${point}.reached`);
    const there = (): boolean => existsSync(reached) && readFileSync(reached, "utf8") !== "";
    await until(`${verb} stands at ${point}`, () => there() || running.exitCode !== null, 120_000);
    if (!there()) throw new NotReachedError(point, running.exitCode, Object.values(await output).join("\n"));
    const goOn = async () => {
      writeFileSync(join(points, `${point}.go`), "");
      return output;
    };
    return { running, output, provider: Number(readFileSync(reached, "utf8")), goOn };
  };
  return {
    text,
    pin,
    write: (content: string): void => writeFileSync(stack.file, content),
    pulumi,
    up,
    upWell,
    preview: (edits: PinEdit[] = [], ...more: string[]): Promise<Update> => {
      pin(edits);
      return pulumi(["preview", "--diff", ...more]);
    },
    hold,
    holdVerb,
    /**
     * Starts an update, waits until it stands at a failpoint, kills with SIGKILL, lets whoever survived go on, and waits for the CLI to end.
     * @param edits pins that are written first.
     * @param runId id of the run that is killed, by which its steps are known in the journal.
     */
    interrupt: async (
      point: string,
      victim: Victim,
      edits: PinEdit[] = [],
      runId = `interrupted-${++interruptions}`,
    ): Promise<Interrupted> => {
      const standing = await hold(point, edits, runId);
      standing.kill(victim);
      if (victim === "cli") await standing.exited;
      standing.go();
      await standing.exited;
      // Who outlives the CLI holds its output open.
      return { provider: standing.provider, output: victim === "cli" ? "" : await standing.output };
    },
    /** `npm run pulumi -- <command> … --stack …`, as a user types it; standard error is part of the output. */
    typed: async (command: string, ...more: string[]): Promise<{ code: number; output: string }> => {
      const script = join(PROJECT, "scripts", "pulumi.ts");
      const running = child(process.execPath, ["--disable-warning=ExperimentalWarning", script, command, "--stack", stack.stack, ...more]);
      const { code, stdout, stderr } = await ended(running);
      return { code, output: stdout + stderr };
    },
    /** Starts a verb, waits until its update stands at a failpoint, and kills it, its engine and the provider with SIGKILL. */
    killVerb: async (point: string, verb: string, ...more: string[]): Promise<void> => {
      const { running, provider } = await holdVerb(point, verb, ...more);
      const engines = readFileSync(`/proc/${running.pid!}/task/${running.pid!}/children`, "utf8").trim().split(" ").map(Number);
      for (const pid of [running.pid!, ...engines, provider]) process.kill(pid, "SIGKILL");
      await until("all of them are gone", () => ![running.pid!, ...engines, provider].some(isRunning));
    },
    /** Runs a verb whose provider is killed at a failpoint of its update. */
    verbLosingProvider: async <T = Record<string, unknown>>(point: string, verb: string, ...more: string[]): Promise<VerbResult<T>> => {
      const { provider, output } = await holdVerb(point, verb, ...more);
      process.kill(provider, "SIGKILL");
      const { code, stdout, stderr } = await output;
      return { code, json: parsed<T>(stdout, stderr), stderr };
    },
    removeStaleLocks: (): string[] => cleanFileBackend(stack.environment["PULUMI_BACKEND_URL"], stack.stack, stack.folder),
    /** `backout <verb> … --stack … --json` */
    verb: async <T = Record<string, unknown>>(verb: string, ...more: string[]): Promise<VerbResult<T>> => {
      const running = child(process.execPath, [
        "--disable-warning=ExperimentalWarning",
        join(PROJECT, "scripts", "backout.ts"),
        verb,
        ...more,
        "--stack",
        stack.stack,
        "--json",
      ]);
      const { code, stdout, stderr } = await ended(running);
      return { code, json: parsed<T>(stdout, stderr), stderr };
    },
  };
}

export function succeeded(update: Update): Update {
  if (update.code !== 0) throw new Error(`the update failed with ${update.code}:\n${update.output}`);
  return update;
}

function parsed<T>(stdout: string, stderr: string): T {
  try {
    return JSON.parse(stdout) as T;
  } catch (error) {
    throw new Error(`standard output is not one JSON document: ${stdout.slice(0, 500)}\n${stderr.slice(-2000)}`, { cause: error });
  }
}

async function ended(running: ChildProcessByStdio<null, Readable, Readable>): Promise<{ code: number; stdout: string; stderr: string }> {
  const [stdout, stderr, code] = await Promise.all([
    textOf(running.stdout),
    textOf(running.stderr),
    new Promise<number>((resolve, reject) => {
      running.once("error", reject);
      running.once("close", (status) => resolve(status ?? -1));
    }),
  ]);
  return { code, stdout, stderr };
}

function countsOf(output: string): Record<string, number> {
  const counts: Record<string, number> = {};
  const summary = /^Resources:\n((?: .*\n?)+)/m.exec(output)?.[1] ?? "";
  for (const [, count, what] of summary.matchAll(/(\d+) (?:to )?([a-z]+)/g)) counts[what!] = Number(count);
  return counts;
}
