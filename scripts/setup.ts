import { parseArgs } from "node:util";
import { ensureEngine } from "./pulumi/engine.ts";
import type { Engine } from "./pulumi/environment.ts";
import { elapsed, toStandardError } from "./pulumi/progress.ts";
import { findProject, prepareProject, projectFiles } from "./pulumi/project.ts";

const HELP = `Usage: npm run setup [-- --json]

Prepares this machine and this project: finds the Pulumi engine (a suitable one in the PATH), else downloads it (the official
release), else builds it with Go; checks its sha256 sums; creates the project's state folder and passphrase. Run again, it
changes nothing.

  --json   one JSON document on standard output, progress on standard error
  --help   this text

BACKOUT_ENGINE_CACHE     folder for the engine instead of the user's cache folder
BACKOUT_ENGINE_SOURCES   sources to try: path,release,build
`;

export interface SetupReport {
  engine: Engine;
  project: { folder: string; state: string; passphrase: string; made: string[] };
}

async function setup(): Promise<SetupReport> {
  const folder = findProject();
  const engine = await ensureEngine({ full: true });
  const made = await prepareProject(folder);
  return { engine, project: { folder, ...projectFiles(folder), made } };
}

function tell({ engine, project }: SetupReport, took: string): void {
  toStandardError(`Pulumi ${engine.version} (${engine.source}): ${engine.pulumi}`);
  for (const path of project.made) toStandardError(`Created ${path}`);
  toStandardError(
    project.made.length === 0 ? `Nothing to do, the project is set up: ${project.folder}` : `The project is ready: ${project.folder}`,
  );
  toStandardError(`Set-up done in ${took}.`);
}

async function main(): Promise<void> {
  const startedAt = performance.now();
  let options: { json?: boolean; help?: boolean };
  try {
    options = parseArgs({ options: { json: { type: "boolean" }, help: { type: "boolean", short: "h" } } }).values;
  } catch (error) {
    toStandardError(`${(error as Error).message}\n\n${HELP}`);
    process.exitCode = 2;
    return;
  }
  if (options.help) return void process.stdout.write(HELP);
  try {
    const report = await setup();
    if (options.json) process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
    else tell(report, elapsed(startedAt));
  } catch (error) {
    const { name, message } = error as Error;
    if (options.json) process.stdout.write(`${JSON.stringify({ error: { name, message } }, null, 2)}\n`);
    else toStandardError(message);
    process.exitCode = 1;
  }
}

await main();
