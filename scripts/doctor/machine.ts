/** This machine and this project: Node, the engine, its plugins, passphrase and state. Changes nothing. */
import { existsSync, readFileSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { parse } from "yaml";
import { commandOf } from "../../config/commands.ts";
import { programFile } from "../../config/program.ts";
import { DOCKER_PACKAGE_FIX } from "../../workloads/docker-errors.ts";
import { findEngine } from "../pulumi/engine.ts";
import { projectFiles, stacksWithoutPassphrase } from "../pulumi/project.ts";
import { failure, ok, warning, type Finding } from "./finding.ts";

export async function machineFindings(project: string): Promise<Finding[]> {
  return [nodeFinding(process.version), await engineFinding(project), ...pluginFindings(project), ...(await passphraseFindings(project))];
}

/** Version from which Node runs TypeScript and has SQLite. */
const OLDEST_NODE = [22, 18] as const;

export function nodeFinding(version: string): Finding {
  const [major = 0, minor = 0] = version.replace(/^v/, "").split(".").map(Number);
  const fits = major > OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor >= OLDEST_NODE[1]);
  const needed = OLDEST_NODE.join(".");
  return fits
    ? ok("Node", version)
    : failure("Node", `${version} is too old: ${needed} or newer is needed`, "npm install --save-dev node@24");
}

async function engineFinding(project: string): Promise<Finding> {
  const fix = commandOf(project, "backout", "setup");
  try {
    const engine = await findEngine();
    return engine === undefined
      ? warning("Pulumi engine", "not found: the next command gets it, which takes a while", fix)
      : ok("Pulumi engine", `${engine.version}, ${engine.pulumi}`);
  } catch (error) {
    return failure("Pulumi engine", (error as Error).message, fix);
  }
}

const OWN_PROVIDER = "backout";
const OWN_FIX = `add to Pulumi.yaml: plugins: {providers: [{name: ${OWN_PROVIDER}, path: node_modules/backout/dist/provider}]}`;

/** Plugins of the providers that the program imports, and providers that Pulumi.yaml names by path. */
export function pluginFindings(project: string): Finding[] {
  const yaml = parse(readFileSync(join(project, "Pulumi.yaml"), "utf8")) as { plugins?: { providers?: { name: string; path: string }[] } };
  const providers = yaml.plugins?.providers ?? [];
  const named = providers.map(({ name, path }) => {
    const folder = resolve(project, path);
    return existsSync(folder)
      ? ok("Pulumi plugin", `provider ${name} in ${path}`)
      : failure("Pulumi plugin", `provider ${name}: Pulumi.yaml names ${path}, which is not there`, "npm install");
  });
  const own = providers.some(({ name }) => name === OWN_PROVIDER)
    ? []
    : [failure("Pulumi plugin", `Pulumi.yaml names no provider ${OWN_PROVIDER}`, OWN_FIX)];
  return [...own, ...named, ...importedPlugins(programFile(project)).map((plugin) => pluginFinding(project, plugin))];
}

interface Plugin {
  name: string;
  version: string;
}

function pluginFinding(project: string, { name, version }: Plugin): Finding {
  const home = process.env["PULUMI_HOME"] ?? join(homedir(), ".pulumi");
  return existsSync(join(home, "plugins", `resource-${name}-v${version}`))
    ? ok("Pulumi plugin", `${name} ${version}`)
    : warning(
        "Pulumi plugin",
        `${name} ${version} is not installed`,
        commandOf(project, "pulumi", `plugin install resource ${name} ${version}`),
      );
}

/** The plugin that the images of the target docker need. */
export function dockerPluginFinding(project: string): Finding {
  try {
    return pluginFinding(project, pluginOf(createRequire(import.meta.url).resolve("@pulumi/docker/package.json"), "docker")!);
  } catch {
    return failure(
      "Pulumi plugin",
      "the package @pulumi/docker is not installed, and `backout:target: docker` needs it",
      DOCKER_PACKAGE_FIX,
    );
  }
}

function pluginOf(packageFile: string, name: string): Plugin | null {
  const { pulumi, version } = JSON.parse(readFileSync(packageFile, "utf8")) as {
    version: string;
    pulumi?: { resource?: boolean; name?: string; version?: string };
  };
  return pulumi?.resource === true ? { name: pulumi.name ?? name, version: (pulumi.version ?? version).replace(/^v/, "") } : null;
}

function importedPlugins(program: string): Plugin[] {
  if (!existsSync(program)) return [];
  const packages = [...readFileSync(program, "utf8").matchAll(/(?:from|import|require)\s*\(?\s*["'](@[\w-]+\/[\w-]+|[\w-]+)/g)];
  const { resolve: find } = createRequire(program);
  return [...new Set(packages.map(([, name]) => name!))].flatMap((name) => {
    try {
      return pluginOf(find(`${name}/package.json`), name.split("/").at(-1)!) ?? [];
    } catch {
      return [];
    }
  });
}

/** The passphrase unlocks the stacks' secrets; the state says what exists. */
async function passphraseFindings(project: string): Promise<Finding[]> {
  const { state, passphrase } = projectFiles(project);
  const given = process.env["PULUMI_CONFIG_PASSPHRASE"] !== undefined || process.env["PULUMI_CONFIG_PASSPHRASE_FILE"] !== undefined;
  const elsewhere = Boolean(process.env["PULUMI_BACKEND_URL"]) || Boolean(process.env["PULUMI_ACCESS_TOKEN"]);
  const findings: Finding[] = [];
  const lost = given ? null : await stacksWithoutPassphrase(passphrase, state);
  if (given) findings.push(ok("passphrase", "set by the environment"));
  else if (lost !== null) findings.push(failure("passphrase", lost.message));
  else if (!existsSync(passphrase)) findings.push(ok("passphrase", "none yet: set-up makes it"));
  else if ((statSync(passphrase).mode & 0o077) !== 0)
    findings.push(warning("passphrase", `${passphrase} can be read by others`, `chmod 600 ${passphrase}`));
  else findings.push(ok("passphrase", `${passphrase}: keep a copy elsewhere, it unlocks the stacks' secrets`));
  findings.push(
    elsewhere
      ? ok("Pulumi state", "in the backend that the environment names")
      : ok("Pulumi state", existsSync(state) ? `${state}, on this machine alone: back it up` : "none yet: set-up makes it"),
  );
  return findings;
}
