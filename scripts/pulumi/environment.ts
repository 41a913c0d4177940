import { existsSync, readFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { parse } from "yaml";
import { OWN_ENGINE_VARIABLE } from "../../config/commands.ts";
import { STACKS_VARIABLE } from "../../config/ledger.ts";
import { stackFolderAbove } from "../../config/stack-folder.ts";
import { compileCacheFolder } from "./cache-folder.ts";

import { fileBackend } from "./file-backend.ts";
import { projectFiles } from "./project.ts";
import type { EngineSource } from "./sources.ts";

const PULUMI_CLOUD = "https://api.pulumi.com";

/**
 * The environment in which the engine runs the project in `project`: this engine and a Node that strips types first on the PATH; the
 * project's own state and passphrase; no downloads behind the user's back. A variable that the user has set stays as it is.
 */
export function engineEnvironment(engine: Engine, project: string): NodeJS.ProcessEnv {
  const own = process.env;
  return {
    PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
    PULUMI_SKIP_UPDATE_CHECK: "true",
    NODE_COMPILE_CACHE: compileCacheFolder(),
    ...own,
    ...(engine.source === "path" ? {} : { [OWN_ENGINE_VARIABLE]: "1" }),
    [STACKS_VARIABLE]: stackFolderAbove(project),
    PULUMI_BACKEND_URL: backendOf(project),
    ...passphrase(own, project),
    ...(engine.source === "build" ? languageOptions(project) : {}),
    PATH: [engine.folder, join(project, "node_modules", ".bin"), dirname(process.execPath), own["PATH"] ?? ""]
      .filter(Boolean)
      .join(delimiter),
  };
}

/**
 * Where the engine keeps the project's state. A token without an address means Pulumi Cloud; it would otherwise lose against the backend that
 * Pulumi.yaml names.
 */
export function backendOf(project: string): string {
  const { PULUMI_BACKEND_URL: named, PULUMI_ACCESS_TOKEN: token } = process.env;
  return named || (token ? PULUMI_CLOUD : fileBackend(projectFiles(project).state));
}

function passphrase(own: NodeJS.ProcessEnv, project: string): NodeJS.ProcessEnv {
  if (own["PULUMI_CONFIG_PASSPHRASE"] !== undefined || own["PULUMI_CONFIG_PASSPHRASE_FILE"] !== undefined) return {};
  return { PULUMI_CONFIG_PASSPHRASE_FILE: projectFiles(project).passphrase };
}

interface RuntimeOptions {
  typescript?: boolean;
  tsconfig?: string;
  nodeargs?: string;
}

/** Additional settings for the language host of the source `build`, see from-build.ts. */
function languageOptions(project: string): NodeJS.ProcessEnv {
  const options = runtimeOptions(project);
  return {
    BACKOUT_LANGUAGE_TYPESCRIPT: String(options.typescript ?? true),
    BACKOUT_LANGUAGE_TSCONFIG: options.tsconfig ?? "",
    BACKOUT_LANGUAGE_NODEARGS: options.nodeargs ?? "",
  };
}

function runtimeOptions(project: string): RuntimeOptions {
  const file = ["Pulumi.yaml", "Pulumi.yml"].map((name) => join(project, name)).find((path) => existsSync(path));
  if (file === undefined) return {};
  const { runtime } = parse(readFileSync(file, "utf8")) as { runtime?: string | { options?: RuntimeOptions } };
  return (typeof runtime === "object" ? runtime.options : undefined) ?? {};
}

/** A Pulumi CLI with its Node language host, ready to run. */
export interface Engine {
  /** Full path of the CLI. */
  pulumi: string;
  /** The folder it lies in, to be put first on the PATH. */
  folder: string;
  /** Such as `3.259.0`. */
  version: string;
  /** Where it came from. */
  source: EngineSource;
}
