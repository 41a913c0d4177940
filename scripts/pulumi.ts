import { existsSync } from "node:fs";
import { join } from "node:path";
import { ensureEngine, engineEnvironment } from "./pulumi/engine.ts";
import type { Engine } from "./pulumi/environment.ts";
import { attend } from "./pulumi/attend.ts";
import { folderOf, mendFileBackend } from "./pulumi/file-backend.ts";
import { toStandardError } from "./pulumi/progress.ts";
import { findProject, prepareProject } from "./pulumi/project.ts";
import { run } from "./pulumi/run.ts";
import { newSaltLines, saltedFiles } from "./pulumi/salt.ts";

/** Commands, with their other names, that what a killed one leaves in the state would stop, or the next one after them. */
const MENDED_FOR = ["up", "update", "preview", "pre", "refresh", "destroy", "down", "dn"];

/** The real Pulumi CLI, from any folder of the project, with its engine, Node, state and passphrase. Arguments are Pulumi's own. */
async function main(given: string[]): Promise<number> {
  const project = findProject();
  const engine = await ensureEngine();
  await prepareProject(project);
  const env = engineEnvironment(engine, project);
  if (given.some((argument) => MENDED_FOR.includes(argument))) await mend(given, engine, project, env);
  const salted = saltedFiles(project);
  const code = await attend(engine.pulumi, given, { cwd: project, env });
  newSaltLines(project, salted).forEach(toStandardError);
  return code;
}

/** Run again is what somebody does whose command was killed: `pulumi cancel` first would be one more thing to know at night. */
async function mend(given: string[], engine: Engine, project: string, env: NodeJS.ProcessEnv): Promise<void> {
  const backend = env["PULUMI_BACKEND_URL"];
  const folder = folderOf(backend, project);
  if (folder === undefined || !existsSync(join(folder, ".pulumi"))) return;
  const stack = namedStack(given) ?? env["PULUMI_STACK"] ?? (await selectedStack(engine, project, env));
  // `<organization>/<project>/<stack>` is a name as well.
  if (stack) mendFileBackend(backend, stack.slice(stack.lastIndexOf("/") + 1), project);
}

/** `--stack name`, `--stack=name`, `-s name`, `-s=name`, `-sname` */
function namedStack(given: string[]): string | undefined {
  for (const [index, argument] of given.entries()) {
    if (argument === "--") return undefined;
    if (argument === "--stack" || argument === "-s") return given[index + 1];
    const joined = /^(?:--stack=|-s=?)(.+)$/.exec(argument)?.[1];
    if (joined !== undefined) return joined;
  }
  return undefined;
}

async function selectedStack(engine: Engine, project: string, env: NodeJS.ProcessEnv): Promise<string | undefined> {
  const answer = await run(engine.pulumi, ["stack", "--show-name", "--non-interactive"], { cwd: project, env, limitMs: 30_000 }).catch(
    () => undefined,
  );
  return answer?.stdout.trim();
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  toStandardError((error as Error).message);
  process.exitCode = 1;
}
