import { UsageError } from "../../config/errors.ts";
import { randomBytes } from "node:crypto";
import { chmod, mkdir, readdir, readFile, rm, stat } from "node:fs/promises";
import { existsSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { placeOnce } from "./place-once.ts";

const PROJECT_FILES = ["Pulumi.yaml", "Pulumi.yml"];

/** There is no Pulumi project where a command was started. */
export class NoProjectError extends UsageError {
  override readonly name = "NoProjectError";
  readonly folder: string;

  constructor(folder: string) {
    super(`There is no Pulumi.yaml in ${folder} or in a folder above it: run this inside a Pulumi project.`);
    this.folder = folder;
  }
}

/** The file that unlocks the secrets of existing stacks is gone; a new one would lock them for good. */
export class PassphraseMissingError extends Error {
  override readonly name = "PassphraseMissingError";
  readonly file: string;

  constructor(file: string, problem: "missing" | "empty") {
    super(
      `${file} is ${problem}, but there are stacks whose secrets it unlocks. Put it back from your backup, or set PULUMI_CONFIG_PASSPHRASE_FILE; ` +
        `if those stacks need not be kept, remove the state folder beside it and run set-up again.`,
    );
    this.file = file;
  }
}

/** The nearest folder at or above `from` that holds a Pulumi.yaml. */
export function findProject(from: string = whereStarted()): string {
  for (let folder = resolve(from); ; folder = dirname(folder)) {
    if (PROJECT_FILES.some((name) => existsSync(join(folder, name)))) return folder;
    if (dirname(folder) === folder) throw new NoProjectError(resolve(from));
  }
}

/**
 * npm runs scripts in the package's folder and leaves where it was called in INIT_CWD. Programs started further down inherit that
 * variable, so it only counts while it lies inside the folder we are in.
 */
export function whereStarted(): string {
  const called = process.env["INIT_CWD"];
  if (!called) return process.cwd();
  const way = relative(process.cwd(), called);
  return way.startsWith("..") || resolve(way) !== resolve(called) ? process.cwd() : called;
}

/** Where the project keeps what Pulumi needs when its user has not set it up otherwise. */
export function projectFiles(project: string): { state: string; passphrase: string } {
  return { state: join(project, ".backout", "state"), passphrase: join(project, ".backout", "passphrase") };
}

/** Makes the state folder and the passphrase, readable by their owner alone; what is there stays. Returns what it made. */
export async function prepareProject(project: string, env: NodeJS.ProcessEnv = process.env): Promise<string[]> {
  const { state, passphrase } = projectFiles(project);
  const made: string[] = [];
  if (!env["PULUMI_BACKEND_URL"] && !env["PULUMI_ACCESS_TOKEN"]) {
    if (!existsSync(state)) made.push(state);
    await mkdir(state, { recursive: true, mode: 0o700 });
  }
  if (env["PULUMI_CONFIG_PASSPHRASE"] === undefined && env["PULUMI_CONFIG_PASSPHRASE_FILE"] === undefined) {
    if (await makePassphrase(passphrase, state)) made.push(passphrase);
  }
  return made;
}

async function makePassphrase(file: string, state: string): Promise<boolean> {
  const present = await readFile(file, "utf8").catch(() => undefined);
  if (present?.trim()) {
    if (((await stat(file)).mode & 0o077) !== 0) await chmod(file, 0o600);
    return false;
  }
  const lost = await stacksWithoutPassphrase(file, state);
  if (lost !== null) throw lost;
  if (present !== undefined) await rm(file);
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  // Of two set-ups at once both read the same passphrase.
  return placeOnce(file, `${randomBytes(32).toString("base64url")}\n`);
}

/** The error of a passphrase that is gone while stacks need it; null: it is there, or none needs it. */
export async function stacksWithoutPassphrase(file: string, state: string): Promise<PassphraseMissingError | null> {
  const present = await readFile(file, "utf8").catch(() => undefined);
  if (present?.trim() || !(await hasStacks(state))) return null;
  return new PassphraseMissingError(file, present === undefined ? "missing" : "empty");
}

async function hasStacks(state: string): Promise<boolean> {
  const found = await readdir(join(state, ".pulumi", "stacks"), { recursive: true }).catch(() => []);
  return found.some((name) => /\.json(\.gz)?$/.test(name));
}
