import { ensureEngine, engineEnvironment } from "./engine/engine.ts";
import { attend } from "./engine/attend.ts";
import { toStandardError } from "./engine/progress.ts";
import { findProject, prepareProject } from "./engine/project.ts";

/** The real Pulumi CLI, from any folder of the project, with its engine, Node, state and passphrase. Arguments are Pulumi's own. */
async function main(): Promise<number> {
  const project = findProject();
  const engine = await ensureEngine();
  await prepareProject(project);
  return attend(engine.pulumi, process.argv.slice(2), { cwd: project, env: engineEnvironment(engine, project) });
}

try {
  process.exitCode = await main();
} catch (error) {
  toStandardError((error as Error).message);
  process.exitCode = 1;
}
