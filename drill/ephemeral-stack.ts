/**
 * An ephemeral stack: a project folder of its own with its own state, passphrase, stack file, ports and database server, running the same
 * program. Drills, end-to-end tests and benchmarks work on one, so the real stack is never changed.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, isAbsolute, join } from "node:path";
import { parse, stringify } from "yaml";
import { DESTROY_DATA } from "../rollout/destroy.ts";
import { editPins, encryptedKeys, type PinEdit } from "../config/edit.ts";
import { schemaOf, withSchemaLine } from "../config/schema-line.ts";
import { stackFolder } from "../config/stack-folder.ts";
import { type Engine, engineEnvironment } from "../scripts/pulumi/environment.ts";
import { fileBackend } from "../scripts/pulumi/file-backend.ts";
import { prepareProject } from "../scripts/pulumi/project.ts";
import { takeFreePorts } from "./ports.ts";

export interface EphemeralStack {
  /** Project folder: state, passphrase, stack file and home are all in it. */
  folder: string;
  stack: string;
  file: string;
  home: string;
  /** Environment in which Pulumi and the verbs work on it. */
  environment: NodeJS.ProcessEnv;
}

export interface EphemeralOptions {
  /** Project that is copied. */
  project: string;
  /** Stack whose file is copied. */
  stack: string;
  /** Empty or absent folder. */
  folder: string;
  /** Name of the new stack. */
  name: string;
  engine: Engine;
  /** Pins to change in the copy. */
  edits?: PinEdit[];
}

/** Makes the folder and the stack file; runs nothing. Ports are free at the time of the call. */
export async function makeEphemeralStack({ project, stack, folder, name, engine, edits = [] }: EphemeralOptions): Promise<EphemeralStack> {
  mkdirSync(join(folder, "stacks"), { recursive: true, mode: 0o700 });
  const yaml = parse(readFileSync(join(project, "Pulumi.yaml"), "utf8")) as ProjectFile;
  const absolute = (path: string): string => (isAbsolute(path) ? path : join(project, path));
  const imitation: ProjectFile = {
    name: yaml.name,
    main: absolute(yaml.main ?? "."),
    runtime: absoluteRuntime(yaml.runtime, project),
    stackConfigDir: "stacks",
    plugins: { providers: (yaml.plugins?.providers ?? []).map((plugin) => ({ ...plugin, path: absolute(plugin.path) })) },
  };
  writeFileSync(join(folder, "Pulumi.yaml"), stringify(imitation));
  const source = readFileSync(join(stackFolder(project), `Pulumi.${stack}.yaml`), "utf8");
  const file = join(folder, "stacks", `Pulumi.${name}.yaml`);
  const encrypted = encryptedKeys(source).length > 0;
  const text = editPins(encrypted ? source : withoutSalt(source), [...(await freePorts(source)), ...edits]);
  writeFileSync(file, withSchemaLine(text, dirname(file), schemaOf(project)));
  const home = join(folder, "home");
  mkdirSync(home, { recursive: true, mode: 0o700 });
  const environment = {
    ...engineEnvironment(engine, folder),
    ...own(folder, home),
    [DESTROY_DATA]: `drop:${name}`,
    ...(encrypted ? passphraseOf(engine, project) : {}),
  };
  await prepareProject(folder, { ...environment, PULUMI_BACKEND_URL: undefined, PULUMI_CONFIG_PASSPHRASE_FILE: undefined });
  return { folder, stack: name, file, home, environment };
}

interface ProjectFile {
  name: string;
  main?: string;
  runtime: string | { name: string; options?: Record<string, unknown> };
  stackConfigDir?: string;
  plugins?: { providers?: { name: string; path: string }[] };
}

/** Encrypted values of the copied file are read with its own passphrase. */
function passphraseOf(engine: Engine, project: string): NodeJS.ProcessEnv {
  const { PULUMI_CONFIG_PASSPHRASE: phrase, PULUMI_CONFIG_PASSPHRASE_FILE: phraseFile } = engineEnvironment(engine, project);
  return { PULUMI_CONFIG_PASSPHRASE: phrase, PULUMI_CONFIG_PASSPHRASE_FILE: phraseFile };
}

/** Whatever backend and passphrase the user works with, an ephemeral stack has its own. */
function own(folder: string, home: string): NodeJS.ProcessEnv {
  return {
    PULUMI_BACKEND_URL: fileBackend(join(folder, ".backout", "state")),
    PULUMI_CONFIG_PASSPHRASE_FILE: join(folder, ".backout", "passphrase"),
    PULUMI_CONFIG_PASSPHRASE: undefined,
    PULUMI_ACCESS_TOKEN: undefined,
    BACKOUT_HOME: home,
    // Its users are the drill's own: no address is opened and no balancer switched.
    BACKOUT_PRIVATE: "1",
    INIT_CWD: undefined,
  };
}

/** Arguments of Node name files relative to the project. */
function absoluteRuntime(runtime: ProjectFile["runtime"], project: string): ProjectFile["runtime"] {
  if (typeof runtime === "string") return runtime;
  const nodeargs = runtime.options?.["nodeargs"];
  if (typeof nodeargs !== "string") return runtime;
  return { ...runtime, options: { ...runtime.options, nodeargs: nodeargs.replaceAll(/(^| )\.\//g, `$1${project}/`) } };
}

function withoutSalt(text: string): string {
  return text.replaceAll(/^(encryptionsalt|secretsprovider|encryptedkey):.*\n/gm, "");
}

async function freePorts(source: string): Promise<PinEdit[]> {
  const { config } = parse(source) as { config: Record<string, unknown> };
  const ports = config["backout:ports"] as Record<string, number> | undefined;
  const names = Object.keys(ports ?? {});
  const others = alternativePorts(config["backout:alternatives"]);
  const free = await takeFreePorts(names.length + others.length + 1);
  const edits: PinEdit[] = names.map((name, index) => ({ path: ["ports", name], value: free[index] }));
  for (const [index, path] of others.entries()) edits.push({ path: ["alternatives", ...path], value: free[names.length + index] });
  if ((config["backout:server"] as { embedded?: boolean } | undefined)?.embedded === true)
    edits.push({ path: ["server", "port"], value: free.at(-1) });
  return edits;
}

/** Where ports stand below `alternatives`. */
function alternativePorts(alternatives: unknown): string[][] {
  return Object.entries(
    (alternatives ?? {}) as Record<string, { ports?: Record<string, number>; fresh?: { serverPort?: number } }>,
  ).flatMap(([name, { ports = {}, fresh }]) => [
    ...Object.keys(ports).map((port) => [name, "ports", port]),
    ...(fresh === undefined ? [] : [[name, "fresh", "serverPort"]]),
  ]);
}
