/** For tests with containers: the plugin of `@pulumi/docker`, real or stood in for, and images that are made here, without a registry. */
import { execFileSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { realPlugin } from "./real-plugin.ts";

const PLUGIN = "pulumi-resource-docker";
const STAND_IN = join(import.meta.dirname, "docker");
const PACKAGE = join(import.meta.dirname, "..", "..", "node_modules", "@pulumi", "docker", "package.json");

export interface DockerPlugin {
  which: "real" | "stand-in";
  /** Its executable. */
  file: string;
  /** What an engine must have on its PATH to find it; null where it finds it anyway. */
  folder: string | null;
}

/** The real one of the PATH, else of the engine's cache in the version that the package asks for, else the one that stands in for it. */
export function dockerPlugin(environment: NodeJS.ProcessEnv = process.env): DockerPlugin {
  const { version } = JSON.parse(readFileSync(PACKAGE, "utf8")) as { version: string };
  const real = realPlugin({ program: PLUGIN, folder: `resource-docker-v${version}`, standIn: STAND_IN }, environment);
  if (real !== null) return { which: "real", file: real, folder: null };
  return { which: "stand-in", file: join(STAND_IN, PLUGIN), folder: STAND_IN };
}

/** An environment in which an engine finds the plugin. */
export function withDockerPlugin(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const { folder } = dockerPlugin(environment);
  const path = environment["PATH"] ?? process.env["PATH"] ?? "";
  return folder === null ? environment : { ...environment, PATH: [folder, path].join(delimiter) };
}

/** @returns what the command line says, trimmed. */
export function docker(...args: string[]): string {
  return execFileSync("docker", args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] }).trim();
}

/** What a command line answers with, one a line. */
export const dockerLines = (...args: string[]): string[] =>
  docker(...args)
    .split("\n")
    .filter(Boolean);

const busybox = (): string | undefined => ["/bin/busybox", "/usr/bin/busybox"].find((file) => existsSync(file));

export interface ImageOptions {
  /** A script of `sh`, which is all that a container of it runs. Tools are called by `/bin/busybox <tool>`. */
  script: string;
  labels?: Record<string, string>;
  /** `repository:tag`. Default: none, it is known by its id. */
  name?: string;
}

/**
 * Makes an image of the machine's busybox. Images that differ in script or labels have ids of their own.
 * @returns its id, `sha256:…`
 */
export function makeImage({ script, labels = {}, name }: ImageOptions): string {
  const folder = mkdtempSync(join(tmpdir(), "backout-image-"));
  try {
    for (const each of ["bin", "tmp"]) mkdirSync(join(folder, "root", each), { recursive: true });
    copyFileSync(busybox()!, join(folder, "root", "bin", "busybox"));
    execFileSync("tar", ["-cf", join(folder, "root.tar"), "-C", join(folder, "root"), "."]);
    const changes = [
      `CMD ${JSON.stringify(["/bin/busybox", "sh", "-c", script])}`,
      ...Object.entries(labels).map(([label, value]) => `LABEL ${label}=${value}`),
    ];
    const file = join(folder, "root.tar");
    return docker("import", ...changes.flatMap((change) => ["--change", change]), file, ...(name === undefined ? [] : [name]));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const lastLine = (error: unknown): string =>
  String((error as { stderr?: unknown }).stderr || error)
    .trim()
    .split("\n")
    .at(-1)!;

/** Why tests with containers must be skipped here; null where nothing is missing. */
export function whyNoDocker(): string | null {
  try {
    docker("info");
  } catch (error) {
    return `no Docker daemon: ${lastLine(error)}`;
  }
  if (busybox() === undefined) return "no busybox on this machine (package busybox-static) to make an image of";
  let image: string | undefined;
  try {
    image = makeImage({ script: "true", labels: { trial: String(process.pid) } });
    docker("run", "--rm", image);
  } catch (error) {
    return `an image of this machine's busybox does not run (is it busybox-static?): ${lastLine(error)}`;
  } finally {
    if (image !== undefined) docker("image", "rm", "--force", image);
  }
  return null;
}
