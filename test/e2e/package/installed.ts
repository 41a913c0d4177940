/** The packed package in a project of somebody's own: packed once, installed by npm, its commands typed in a shell. */
import { spawn } from "node:child_process";
import { lstatSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { PROJECT } from "../stand.ts";

export interface Typed {
  code: number;
  output: string;
}

/** No variable of a surrounding npm script, test runner or Pulumi; where the engine is kept stays, so that it is made once. */
export function environment(path: readonly string[] = []): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(
    ([name]) =>
      /^BACKOUT_ENGINE_|^npm_config_(?:cache|registry|prefer_offline)$/.test(name) ||
      !/^(?:npm_|PULUMI_|BACKOUT_|VITEST|INIT_CWD|NODE_(?:OPTIONS|PATH|ENV))/.test(name),
  );
  const outside = (process.env["PATH"] ?? "").split(delimiter).filter((folder) => !folder.startsWith(PROJECT));
  return { ...Object.fromEntries(kept), PATH: [...path, dirname(process.execPath), ...outside].join(delimiter) };
}

export async function typed(command: string, folder: string, env: NodeJS.ProcessEnv): Promise<Typed> {
  const child = spawn("sh", ["-c", command], { cwd: folder, env, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (text: Buffer) => (output += text.toString()));
  const code = await new Promise<number>((resolve, reject) => child.once("error", reject).once("close", (status) => resolve(status ?? 1)));
  return { code, output };
}

/** Packs the repository. @returns path of the archive */
export async function packed(folder: string): Promise<string> {
  const { code, output } = await typed(`npm pack --silent --pack-destination ${folder}`, PROJECT, environment());
  const name = readdirSync(folder).find((file) => file.endsWith(".tgz"));
  if (code !== 0 || name === undefined) throw new Error(`npm pack failed:\n${output}`);
  return join(folder, name);
}

export function write(folder: string, files: Record<string, string>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
}

interface Locked {
  dependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
  peerDependencies?: Record<string, string>;
}

/** Bytes of the packages that npm installed in a project, by path, without those that `other` needs anyway. */
export function addedBeside(project: string, other: string): Record<string, number> {
  const lock = JSON.parse(readFileSync(join(project, "node_modules", ".package-lock.json"), "utf8")) as {
    packages: Record<string, Locked>;
  };
  const needed = new Set<string>();
  const follow = (path: string | undefined): void => {
    if (path === undefined || needed.has(path)) return;
    needed.add(path);
    const { dependencies, optionalDependencies, peerDependencies } = lock.packages[path]!;
    for (const name of Object.keys({ ...dependencies, ...optionalDependencies, ...peerDependencies })) follow(found(path, name));
  };
  const found = (from: string, name: string): string | undefined => {
    const parts = from.split("/node_modules/");
    const folders = parts.map((_, index) => parts.slice(0, parts.length - index).join("/node_modules/"));
    return [...folders, ""].map((folder) => join(folder, "node_modules", name)).find((path) => path in lock.packages);
  };
  follow(`node_modules/${other}`);
  const added = Object.keys(lock.packages).filter((path) => !needed.has(path));
  return Object.fromEntries(added.map((path) => [path.replace(/^node_modules\//, ""), sizeOf(join(project, path))]));
}

/** Without packages inside of it. */
function sizeOf(folder: string): number {
  return readdirSync(folder, { withFileTypes: true })
    .filter(({ name }) => name !== "node_modules")
    .reduce((sum, entry) => sum + (entry.isDirectory() ? sizeOf(join(folder, entry.name)) : lstatSync(join(folder, entry.name)).size), 0);
}
