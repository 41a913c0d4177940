/** What is fuzzed: a stack of each system, none of which may change. */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { gateFolder, processFolder } from "../../config/site.ts";
import { stopProcess, runningNames } from "../../processes/process.ts";
import type { Engine } from "../../scripts/pulumi/environment.ts";
import { runPulumi } from "../../scripts/pulumi/pulumi-run.ts";
import { openStack, stackFile, type OpenStack } from "../../scripts/pulumi/stack.ts";
import { makeEphemeralStack, type EphemeralStack } from "../ephemeral-stack.ts";
import { removeDrill } from "../remove.ts";
import { runVerb } from "../verbs.ts";
import { workersOf } from "../torture/victims.ts";

export interface Ground {
  stack: EphemeralStack;
  /** As declared by its unchanged file. */
  opened: OpenStack;
}

export interface Grounds {
  all: Ground[];
  /** A hash of every stack file, and of all that a stack keeps in its home: records, data, logs. */
  fingerprint(): string;
  remove(): Promise<void>;
}

export interface GroundOptions {
  project: string;
  sources: readonly OpenStack[];
  engine: Engine;
  /** Whether updates run too: the engine must know the stacks. */
  known: boolean;
  /** Whether a stack with SQLite files is deployed, so that a change would be noticed. */
  deployed: boolean;
}

export async function makeGrounds({ project, sources, engine, known, deployed }: GroundOptions): Promise<Grounds> {
  mkdirSync(join(project, ".backout"), { recursive: true, mode: 0o700 });
  const folder = mkdtempSync(join(project, ".backout", "fuzz-"));
  const all: Ground[] = [];
  try {
    for (const source of sources) {
      const own = join(folder, source.stack);
      const stack = await makeEphemeralStack({ project, stack: source.stack, folder: own, name: source.stack, engine });
      if (known) await ensureStack(stack);
      const opened = await inside(stack, () => openStack(stackFile(stack.stack, own)));
      all.push({ stack, opened });
    }
    const file = all.find(({ opened }) => opened.site.server === undefined);
    if (deployed && file !== undefined) await deploy(file);
  } catch (error) {
    await removeAll(folder, all);
    throw error;
  }
  return {
    all,
    fingerprint: () => hashOf(all.flatMap(({ stack }) => [stack.file, ...filesBelow(stack.home)])),
    remove: () => removeAll(folder, all),
  };
}

/** The engine writes its salt into the file when it makes the stack. */
async function ensureStack({ folder, stack, environment }: EphemeralStack): Promise<void> {
  const { code, output } = await runPulumi({ project: folder, stack, arguments: ["stack", "select", "--create"], environment });
  if (code !== 0) throw new Error(output);
}

/** Whatever reads the stack's home from the environment reads this stack's. */
export async function inside<T>({ home }: EphemeralStack, work: () => Promise<T>): Promise<T> {
  const before = process.env["BACKOUT_HOME"];
  process.env["BACKOUT_HOME"] = home;
  try {
    return await work();
  } finally {
    if (before === undefined) delete process.env["BACKOUT_HOME"];
    else process.env["BACKOUT_HOME"] = before;
  }
}

/** Deployed and idle: any later change in its home has a cause. */
async function deploy({ stack, opened: { definition, config, site } }: Ground): Promise<void> {
  const { failure } = await runVerb(stack, "deploy", [config.release, "--yes", "--reason", "fuzz"]);
  if (failure !== null) throw new Error(`${definition.name}: ${failure}`);
  for (let left = 100; left > 0 && workersOf(stack.home).length > 0; left--) await new Promise((resolve) => setTimeout(resolve, 100));
  const own = { ...site, home: stack.home };
  for (const folder of [processFolder(own), gateFolder(own)])
    for (const name of runningNames(folder)) await stopProcess(folder, name, 2_000);
}

async function removeAll(folder: string, all: readonly Ground[]): Promise<void> {
  for (const { stack } of all) await removeDrill(stack.folder);
  rmSync(folder, { recursive: true, force: true });
}

/** SQLite keeps a map of its log in shared memory while somebody reads. */
const PASSING = /-(?:shm|wal)$/;

function filesBelow(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, encoding: "utf8" }).map((name) => join(folder, name));
}

function hashOf(files: readonly string[]): string {
  const hash = createHash("sha256");
  for (const path of files.filter((name) => !PASSING.test(name)).sort()) {
    const isFile = statSync(path).isFile();
    hash.update(`${path}\0${isFile ? "file" : "other"}\0`);
    if (isFile) hash.update(readFileSync(path));
  }
  return hash.digest("hex");
}
