/** Drills as a person starts them, in a project of their own, and a hand that interferes from outside while they run. */
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { PinEdit } from "../../config/edit.ts";
import type { Site } from "../../config/site.ts";
import { makeEphemeralStack } from "../../drill/ephemeral-stack.ts";
import { foldersOf, removeDrill } from "../../drill/remove.ts";
import type { DrillReport } from "../../state/drill-reports/schema.ts";
import { observeServer, serverFolder } from "../../databases/postgres/server.ts";
import { findByEnvironment, isAlive, lookUp, type ProcessIdentity } from "../../processes/identity.ts";
import { observeProcess, runningNames } from "../../processes/process.ts";
import { ensureEngine } from "../../scripts/pulumi/engine.ts";
import { openStack, stackFile } from "../../scripts/pulumi/stack.ts";
import { projectOf } from "./own-program.ts";
import { PROJECT, until } from "./stand.ts";

const SYSTEM = "pfa-vanguard";

export interface Drilled {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

/** What is seen of a drill while it runs. */
export interface Sighting {
  folder: string;
  processes: ProcessIdentity[];
  serverFolder: string;
}

export type DrillProject = Awaited<ReturnType<typeof makeProject>>;

/** A project whose only stack is like the repository's, with its pins edited. `definition`: text of a module that exports one, for a program of its own. */
export async function makeProject({
  system = SYSTEM,
  edits = () => [],
  definition,
}: { system?: string; edits?: (folder: string) => Promise<PinEdit[]> | PinEdit[]; definition?: string } = {}) {
  const engine = await ensureEngine({ log: () => undefined });
  const folder = await mkdtemp(join(tmpdir(), "backout-drill-"));
  await chmod(folder, 0o755);
  const own = await edits(folder);
  const module = join(folder, "definition.ts");
  if (definition !== undefined) writeFileSync(module, definition);
  const project = definition === undefined ? PROJECT : projectOf(folder, system, module);
  await makeEphemeralStack({ project, stack: system, folder, name: system, engine, edits: own });
  const points = join(folder, "points");
  mkdirSync(points);
  const drills = join(folder, ".backout", "drills");

  const start = (parameters: string[] = [], environment: NodeJS.ProcessEnv = {}): Running => {
    const child = spawn(
      process.execPath,
      ["--disable-warning=ExperimentalWarning", join(PROJECT, "scripts", "backout.ts"), "drill", "--rows", "200", "--json", ...parameters],
      { cwd: folder, env: { ...process.env, INIT_CWD: undefined, ...environment }, stdio: ["ignore", "pipe", "pipe"] },
    );
    const lines: string[] = [];
    createInterface({ input: child.stderr }).on("line", (line) => lines.push(line));
    const chunks: Buffer[] = [];
    child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
    const ended = new Promise<Drilled>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (code, signal) =>
        resolve({ code, signal, stdout: Buffer.concat(chunks).toString("utf8"), stderr: lines.join("\n") }),
      );
    });
    let over = false;
    void ended.finally(() => (over = true)).catch(() => undefined);
    return {
      ended,
      kill: (signal) => void child.kill(signal),
      reached: (phase) =>
        until(
          `the drill is in ${phase}`,
          () => {
            if (lines.includes(`  ${phase} …`)) return true;
            if (over) throw new Error(`the drill ended before ${phase}:\n${lines.join("\n")}`);
            return false;
          },
          200_000,
        ),
    };
  };

  return {
    folder,
    drills,
    start,
    /** Runs to its end and reads what it printed. */
    drill: async (parameters: string[] = [], environment: NodeJS.ProcessEnv = {}) => judged(await start(parameters, environment).ended),
    /**
     * A drill whose rollback is held at a failpoint. Deployments pass the same points: it has its standby copy when the preview begins.
     * `interfere` works while the rollback waits there.
     */
    heldDrill: async (point: string, interfere: (site: Site) => Promise<void>) => {
      const reached = join(points, `${point}.reached`);
      const go = join(points, `${point}.go`);
      rmSync(go, { force: true });
      writeFileSync(reached, "not yet");
      const running = start(["--no-watch"], { BACKOUT_FAILPOINT: point, BACKOUT_FAILPOINT_FOLDER: points });
      try {
        await running.reached("preview");
        rmSync(reached);
        await until(`the rollback is at ${point}`, () => existsSync(reached), 120_000);
        await interfere(await siteOf(drills));
      } finally {
        writeFileSync(go, "");
      }
      return judged(await running.ended);
    },
    sight: () => sight(drills),
    /** Folders of drills that are still there. */
    left: (): string[] => (existsSync(drills) ? readdirSync(drills) : []),
    remove: async () => {
      for (const name of existsSync(drills) ? readdirSync(drills) : []) await removeDrill(join(drills, name));
      await rm(folder, { recursive: true, force: true });
    },
  };
}

export interface Running {
  ended: Promise<Drilled>;
  kill(signal: NodeJS.Signals): void;
  /** Resolves when a phase has begun. */
  reached(phase: string): Promise<void>;
}

export interface Judged extends Drilled {
  json: DrillReport;
  /** Names of the checks that failed. */
  failed: string[];
}

function judged(drilled: Drilled): Judged {
  let json: DrillReport;
  try {
    json = JSON.parse(drilled.stdout) as DrillReport;
  } catch (error) {
    throw new Error(`no JSON: ${drilled.stdout.slice(0, 500)}\n${drilled.stderr.slice(-2000)}`, { cause: error });
  }
  if (json.checks === undefined) throw new Error(drilled.stdout);
  return { ...drilled, json, failed: json.checks.filter(({ status }) => status === "failed").map(({ name }) => name) };
}

function only(drills: string): string {
  const [name, ...more] = readdirSync(drills);
  if (name === undefined || more.length > 0) throw new Error(`one drill was expected, not ${[name, ...more].join(", ")}`);
  return join(drills, name);
}

async function siteOf(drills: string): Promise<Site> {
  const folder = only(drills);
  const { stack } = JSON.parse(readFileSync(join(folder, "drill.json"), "utf8")) as { stack: string };
  return { ...(await openStack(stackFile(stack, folder))).site, home: join(folder, "home") };
}

/** Every process of the drill that runs now, and where its server is. */
function sight(drills: string): Sighting {
  const folder = only(drills);
  const { home, server, processes } = foldersOf(folder);
  const pids = new Set(findByEnvironment("BACKOUT_HOME", home).map(({ pid }) => pid));
  for (const state of processes)
    for (const name of existsSync(state) ? runningNames(state) : []) {
      const { pid } = observeProcess(state, name);
      if (pid !== null) pids.add(pid);
    }
  const { pid } = observeServer(server);
  if (pid !== null) pids.add(pid);
  const identities = [...pids].flatMap((each) => lookUp(each) ?? []).map(({ pid: id, startTime }) => ({ pid: id, startTime }));
  return { folder, processes: identities, serverFolder: serverFolder(server) };
}

/** What of a sighting is still there, in words. */
export function still({ folder, processes, serverFolder: server }: Sighting): string[] {
  return [...processes.filter(isAlive).map(({ pid }) => `process ${pid}`), ...[folder, server].filter((path) => existsSync(path))];
}
