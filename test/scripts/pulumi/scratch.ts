import { spawn } from "node:child_process";
import { mkdir, mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { onTestFinished } from "vitest";

export const REPOSITORY = resolve(import.meta.dirname, "../../..");

export interface Scratch {
  root: string;
  /** First on the PATH of everything this scratch runs. */
  bin: string;
  cache: string;
  project: string;
}

/** An empty Pulumi project, an empty engine cache and a folder for stand-ins, removed when the test is over. */
export async function scratch(): Promise<Scratch> {
  const root = await realpath(await mkdtemp(join(tmpdir(), "backout engine ")));
  onTestFinished(() => rm(root, { recursive: true, force: true }));
  const made = { root, bin: join(root, "bin"), cache: join(root, "cache"), project: join(root, "project") };
  for (const folder of [made.bin, made.project]) await mkdir(folder);
  await writeFile(join(made.project, "Pulumi.yaml"), "name: somebody-elses\nruntime:\n  name: nodejs\n  options:\n    typescript: false\n");
  return made;
}

export async function script(file: string, body: string): Promise<string> {
  await writeFile(file, `#!/bin/sh\n${body}\n`, { mode: 0o755 });
  return file;
}

/** A `pulumi` with its language host that only answers `version`, until it is given something else to do. */
export async function standInPulumi(folder: string, version: string, otherwise = ":"): Promise<void> {
  await mkdir(folder, { recursive: true });
  await script(join(folder, "pulumi"), `if [ "$1" = version ]; then echo "${version}"; exit 0; fi\n${otherwise}`);
  await script(join(folder, "pulumi-language-nodejs"), ":");
}

/** A `go` whose builds are scripts that print `version`; every build adds a line to `builds` in the scratch. */
export async function standInGo({ root, bin }: Scratch, version = "v3.259.0", takesSeconds = 0): Promise<string> {
  const builds = join(root, "builds");
  const body = `out=""; while [ $# -gt 0 ]; do [ "$1" = -o ] && out="$2"; shift; done
sleep ${takesSeconds}
echo "$out" >> "${builds}"
printf '#!/bin/sh\\necho ${version}\\n' > "$out"; chmod 755 "$out"`;
  await script(join(bin, "go"), body);
  return builds;
}

/** The environment of a process that sees this scratch and the basic tools, but no Pulumi, Go or cache of the machine. */
export function environment(of: Scratch, more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  const clean = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(PULUMI_|BACKOUT_|INIT_CWD$|npm_|VITEST|XDG_CACHE)/.test(name)),
  );
  const path = [of.bin, dirname(process.execPath), "/usr/bin", "/bin"].join(":");
  return { ...clean, PATH: path, BACKOUT_ENGINE_CACHE: of.cache, ...more };
}

export interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** Runs one of the repository's scripts as a process of its own. */
export function runScript(
  name: string,
  args: string[],
  options: { cwd: string; env: NodeJS.ProcessEnv; onStart?: (pid: number) => void },
): Promise<Ended> {
  const child = spawn(process.execPath, [join(REPOSITORY, "scripts", name), ...args], { ...options, stdio: ["ignore", "pipe", "pipe"] });
  const ended: Ended = { code: null, stdout: "", stderr: "" };
  child.stdout.on("data", (text: Buffer) => (ended.stdout += text.toString()));
  child.stderr.on("data", (text: Buffer) => (ended.stderr += text.toString()));
  if (child.pid !== undefined) options.onStart?.(child.pid);
  return new Promise((done, failed) => child.once("error", failed).once("close", (code) => done({ ...ended, code })));
}
