/**
 * Learns a system from the program that declares it, so that one description serves the engine and the verbs. The program is loaded without an
 * engine; the first system that it declares hands over its definition and ends the loading there.
 */
import { existsSync, readFileSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { ConfigError, ConfigErrors, NAMESPACE } from "./errors.ts";
import { documentOf } from "./stack-text.ts";
import type { SystemDefinition } from "./system/definition.ts";

/** File that the component writes its description to, instead of declaring anything. */
export const DESCRIBE_VARIABLE = "BACKOUT_DESCRIBE";

/** One object for every copy of this module in a process: program and verbs may load different builds of it. */
const DESCRIBING = Symbol.for("backout.describing");
const shared = globalThis as { [DESCRIBING]?: { folder: string } };

/** Ends the loading of a program whose system is wanted. Not an error of the program. */
class Described extends Error {
  readonly [DESCRIBING]: SystemDefinition;
  constructor(definition: SystemDefinition) {
    super("the system is described; the program ends here");
    this.name = "Described";
    this[DESCRIBING] = definition;
  }
}

/** Folder of the program that is loaded for its system only; null: the engine runs the program. */
export function describedFolder(): string | null {
  return shared[DESCRIBING]?.folder ?? null;
}

/** Hands the definition over where only that is wanted. @throws Described */
export function handOver(definition: SystemDefinition): void {
  if (shared[DESCRIBING] !== undefined) throw new Described(definition);
}

export interface ProgramContext {
  /** Absolute path of the program's main file. */
  file: string;
  /** Name of the Pulumi project. */
  project: string;
  stack: string;
  /** Config of the stack by full key, as text. Secrets are replaced. */
  config: Record<string, string>;
  /** What a program in another language describes; absent: the program itself is loaded. */
  plain?: PlainProgram;
}

/** A system of plain values, with the folder that its paths are relative to. */
export interface PlainProgram {
  name: string;
  folder: string;
  given: Record<string, unknown>;
}

/** The program declares no system. */
function fail(file: string, allowed: string): never {
  throw new ConfigErrors([new ConfigError("program", file, allowed)]);
}

const found = new Map<string, Promise<SystemDefinition>>();

/** @throws ConfigErrors for a program that cannot be loaded or declares no system */
export async function describeProgram(context: ProgramContext): Promise<SystemDefinition> {
  const key = JSON.stringify(context);
  const known = found.get(key) ?? load(context, found.size);
  found.set(key, known);
  return known;
}

/** @param earlier how many programs were loaded before: each runs again for another stack or other config, as modules are loaded once a name */
async function load({ file, project, stack, config }: ProgramContext, earlier: number): Promise<SystemDefinition> {
  if (!existsSync(file)) return fail(file, "file not found: set `main` in Pulumi.yaml to the program");
  createRequire(import.meta.url)("./load-late.cjs");
  const { setMocks } = await import("@pulumi/pulumi/runtime/mocks.js");
  const { setAllConfig } = await import("@pulumi/pulumi/runtime/config.js");
  const { resetOptions } = (await import("@pulumi/pulumi/runtime/settings.js")) as unknown as Settings;
  // What the program declares before its system exists nowhere.
  await setMocks({ newResource: ({ name, inputs }) => ({ id: name, state: inputs as object }), call: () => ({}) }, project, stack, true);
  setAllConfig(config);
  shared[DESCRIBING] = { folder: dirname(file) };
  try {
    const loaded = (await import(`${pathToFileURL(file).href}${earlier === 0 ? "" : `?${earlier}`}`)) as { definition?: SystemDefinition };
    return loaded.definition ?? fail(file, "declares no system: add `new System(name, {…})`, or export `definition`");
  } catch (error) {
    const definition = (error as Partial<Described>)[DESCRIBING];
    if (definition !== undefined) return definition;
    if (error instanceof ConfigErrors) throw error;
    return fail(file, `it cannot be loaded: ${(error as Error).message}`);
  } finally {
    delete shared[DESCRIBING];
    resetOptions("", "", -1, "", "", false, "");
  }
}

/** @param module that makes definitions of plain values. @throws ConfigErrors */
export async function plainDefinition(module: string, { name, given, folder }: PlainProgram): Promise<SystemDefinition> {
  const { definePlain } = (await import(pathToFileURL(module).href)) as {
    definePlain: (name: string, given: unknown, folder: string) => SystemDefinition;
  };
  return definePlain(name, given, folder);
}

/** Language of the project's program, e.g. `nodejs`, `python` or `yaml`. */
export function languageOf(project: string): string {
  const { runtime = "nodejs" } = projectFile(project);
  return typeof runtime === "string" ? runtime : (runtime.name ?? "nodejs");
}

interface Settings {
  resetOptions: (
    project: string,
    stack: string,
    parallel: number,
    engine: string,
    monitor: string,
    preview: boolean,
    organization: string,
  ) => void;
}

interface ProjectFile {
  name?: string;
  main?: string;
  runtime?: string | { name?: string };
}

function projectFile(project: string): ProjectFile {
  const file = join(project, "Pulumi.yaml");
  return (documentOf(readFileSync(file, "utf8"), file).value as ProjectFile | null) ?? {};
}

export function projectName(project: string): string {
  return projectFile(project).name ?? "project";
}

/** Folder in which the engine runs the program; paths of the ledger are relative to it unless BACKOUT_PROJECT says otherwise. */
export function programFolder(project: string): string {
  const main = resolve(project, projectFile(project).main ?? ".");
  return isFolder(main) ? main : dirname(main);
}

/** The program's main file, found as the engine's Node host finds it. */
export function programFile(project: string): string {
  const main = resolve(project, projectFile(project).main ?? ".");
  if (!isFolder(main)) return main;
  const file = join(main, "package.json");
  const { main: named } = existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as { main?: string }) : {};
  if (named !== undefined) return join(main, named);
  return ["index.ts", "index.js", "index.mjs"].map((name) => join(main, name)).find((path) => existsSync(path)) ?? join(main, "index.ts");
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

/**
 * What a program is loaded with for its system: config outside backout's namespace as text, encrypted values left out.
 * @param raw config by full key
 * @param encrypted full keys that hold something encrypted
 */
export function programConfig(raw: Readonly<Record<string, unknown>>, encrypted: readonly string[]): Record<string, string> {
  const own = Object.entries(raw).filter(([key]) => !key.startsWith(`${NAMESPACE}:`) && !encrypted.includes(key));
  return Object.fromEntries(own.map(([key, value]) => [key, typeof value === "string" ? value : JSON.stringify(value)]));
}
