import { existsSync } from "node:fs";
import { join } from "node:path";
import { ensureEngine, engineEnvironment } from "./engine.ts";
import type { Engine } from "./environment.ts";
import { attend } from "./attend.ts";
import { folderOf, cleanFileBackend } from "./file-backend.ts";
import { toStandardError } from "./progress.ts";
import { findProject, prepareProject } from "./project.ts";
import { run } from "./run.ts";
import { newSaltLines, saltedFiles } from "./salt.ts";

/** Commands, with their aliases, before which the state is cleaned: what a killed command left there would stop them, or the one after them. */
const CLEANED_FOR = ["up", "update", "preview", "pre", "refresh", "destroy", "down", "dn"];

/** The real Pulumi CLI, from any folder of the project, with its engine, Node, state and passphrase. Arguments are Pulumi's own. Returns its exit code. */
export async function runCli(given: string[]): Promise<number> {
  const project = findProject();
  const engine = await ensureEngine();
  await prepareProject(project);
  const env = engineEnvironment(engine, project);
  if (given.some((argument) => CLEANED_FOR.includes(argument))) await clean(given, engine, project, env);
  const salted = saltedFiles(project);
  const code = await attend(engine.pulumi, given, { cwd: project, env });
  newSaltLines(project, salted).forEach(toStandardError);
  return code;
}

/** Removes what a killed command left in the state, so that the same command works again without `pulumi cancel`. */
async function clean(given: string[], engine: Engine, project: string, env: NodeJS.ProcessEnv): Promise<void> {
  const backend = env["PULUMI_BACKEND_URL"];
  const folder = folderOf(backend, project);
  if (folder === undefined || !existsSync(join(folder, ".pulumi"))) return;
  const stack = namedStack(given) ?? env["PULUMI_STACK"] ?? (await selectedStack(engine, project, env));
  // `<organization>/<project>/<stack>` is a name as well.
  if (stack) cleanFileBackend(backend, stack.slice(stack.lastIndexOf("/") + 1), project);
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
