/** `npm run torture`: a system is tortured on a stack of its own; see drill/torture/. */
import { Command, CommanderError } from "commander";
import { ranNow, writeTortured } from "../drill/reliability.ts";
import { removeDrill, removeLeftovers } from "../drill/remove.ts";
import { anySeed } from "../drill/dice.ts";
import { isWell, torture, type TortureResult } from "../drill/torture/torture.ts";
import { ensureEngine } from "./engine/engine.ts";
import { findProject } from "./engine/project.ts";
import { positive } from "./positive.ts";
import { stackOf } from "./verbs/drill-list.ts";
import { EXIT, exitCodeOf, say } from "./verbs/outcome.ts";

interface Options {
  system?: string;
  rounds: number;
  seed?: string;
  json?: boolean;
  keep?: boolean;
  write?: boolean;
}

async function main({ system, rounds, seed = anySeed(), json, keep = false, write }: Options): Promise<void> {
  const project = findProject();
  const source = await stackOf(project, system);
  await removeLeftovers(project, say);
  const engine = await ensureEngine({ log: say });
  const folders = new Set<string>();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
    process.once(signal, () => {
      say(`${signal}: everything the torture made is removed …`);
      void Promise.all([...folders].map((folder) => removeDrill(folder))).finally(() => process.exit(130));
    });
  const { kept: _kept, ...result } = await torture({ source, rounds, seed, keep }, engine, say, (folder) => folders.add(folder));
  if (write === true) writeTortured(project, { ...ranNow(project), seed, system: source.definition.name, ...result });
  process.stdout.write(json === true ? `${JSON.stringify(result)}\n` : `${summary(result)}\n`);
  process.exitCode = isWell(result) ? EXIT.done : EXIT.failed;
}

function summary({ rounds, kills, converged, acknowledged, lost, lockedOut }: TortureResult): string {
  return `${rounds} rounds, ${kills} kills, ${converged} ended as declared; ${acknowledged} writes acknowledged, ${lost} lost; ${lockedOut} locked out`;
}

const program = new Command("torture")
  .description("kill whoever works on a system, round after round, and judge by a client that writes all the time")
  .option("--system <name>", "system; the project's default one unless given")
  .option("--rounds <number>", "how many rounds", positive, 10)
  .option("--seed <text>", "makes the same choices as the run that had it")
  .option("--keep", "leave the stack standing, also where all went well")
  .option("--write", "write the figures into docs/reliability.md")
  .option("--json", "one JSON document on standard output, progress on standard error")
  .exitOverride()
  .action(main);

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? EXIT.done : EXIT.usage;
  else {
    say((error as Error).message);
    process.exitCode = exitCodeOf(error);
  }
}
