/** A machine on which the stack was never updated: its id, and what the other ones generated, come from the engine's state. */
import { NotRecalledError, takeKeys } from "../../components/recall.ts";
import { lacksKeys, recalledFrom, sharesKeys, type Recalled } from "../../config/stack-keys.ts";
import type { Site } from "../../config/site.ts";
import type { SystemDefinition } from "../../config/system/definition.ts";
import { identityAt, rememberId, requireNotRenamed } from "../../state/identity.ts";
import { ensureEngine, engineEnvironment, STACK_NOT_FOUND } from "./engine.ts";
import { backendOf } from "./environment.ts";
import { folderOf } from "./file-backend.ts";
import { say } from "./outcome.ts";
import { prepareProject } from "./project.ts";
import { run, type CommandFailedError } from "./run.ts";

const asked = new Set<string>();

/**
 * @param declared names of the stacks with a stack file
 * @throws ForeignStackError where the stack was renamed
 * @throws NotRecalledError
 */
export async function recall(
  { project, stack, text }: { project: string; stack: string; text: string },
  { site, definition }: { site: Site; definition: SystemDefinition },
  declared: readonly string[],
): Promise<void> {
  const known = identityAt(site.home) !== null;
  if (!known) requireNotRenamed(site, declared);
  if (!sharesKeys(site) || (known && !lacksKeys(site, definition))) return;
  // In a file backend the engine writes one of these lines when it makes the stack; Pulumi Cloud writes none.
  const local = folderOf(backendOf(project), project) !== undefined;
  if (asked.has(site.home) || (local && !/^(?:encryptionsalt|secretsprovider):/m.test(text))) return;
  asked.add(site.home);
  const engine = await ensureEngine({ log: say });
  await prepareProject(project);
  const ask = async (...more: string[]): Promise<Recalled> => {
    const given = ["stack", "export", "--non-interactive", "--stack", stack, ...more];
    const { stdout } = await run(engine.pulumi, given, { cwd: project, env: engineEnvironment(engine, project) }).catch(
      (error: CommandFailedError) => {
        if (error.code === STACK_NOT_FOUND) return { stdout: "{}" };
        throw new NotRecalledError(stack, error.lastLines());
      },
    );
    return recalledFrom(stdout);
  };
  const found = await ask();
  if (found.stackId !== null) rememberId(site.home, found.stackId);
  const shown = found.hidden ? (await ask("--show-secrets")).keys : found.keys;
  takeKeys(site, found, shown);
}
