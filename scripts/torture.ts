/** `npm run torture`: kills processes of a system, on a stack of its own; see drill/torture/. */
import { Command } from "commander";
import { writeTortured } from "../drill/reliability.ts";
import { removeLeftovers } from "../drill/remove.ts";
import { anySeed } from "../drill/dice.ts";
import { isWell, torture, type TortureResult } from "../drill/torture/torture.ts";
import { ensureEngine } from "./pulumi/engine.ts";
import { findProject } from "./pulumi/project.ts";
import { endLongRun, runLong, type LongRunOptions } from "./long-run.ts";
import { positive } from "./positive.ts";
import { stackOf } from "./verbs/drill-list.ts";
import { orInterrupted } from "./verbs/interruption.ts";
import { say } from "./pulumi/outcome.ts";

interface Options extends LongRunOptions {
  system?: string;
  rounds: number;
  minutes?: number;
  seed?: string;
  keep?: boolean;
}

async function main({ system, rounds, minutes = Infinity, seed = anySeed(), keep = false, ...options }: Options): Promise<void> {
  const project = findProject();
  const source = await stackOf(project, system);
  const { kept: _kept, ...result } = await orInterrupted("the torture", async (stopping, folderKnown) => {
    await removeLeftovers(project, say);
    const engine = await ensureEngine({ log: say });
    return torture({ source, rounds, seed, keep, limitMs: minutes * 60_000 }, engine, say, folderKnown, stopping);
  });
  endLongRun(
    {
      project,
      result,
      well: isWell(result),
      summary: summaryOf(result),
      write: (ran) => writeTortured(project, { ...ran, seed, system: source.definition.name, ...result }),
    },
    options,
  );
}

function summaryOf({ rounds, kills, converged, acknowledged, lost, lockedOut }: TortureResult): string {
  return `${rounds} rounds, ${kills} kills, ${converged} ended as declared; ${acknowledged} writes acknowledged, ${lost} lost; ${lockedOut} locked out`;
}

await runLong(
  new Command("torture")
    .description("kill processes that work on a system, round after round, while a client writes, and check that no write is lost")
    .option("--system <name>", "system (default: the project's)")
    .option("--rounds <number>", "how many rounds", positive, 10)
    .option("--minutes <number>", "start no round after this many minutes", positive)
    .option("--seed <text>", "repeat the choices of the run with this seed")
    .option("--keep", "keep the stack, also after success")
    .action(main),
);
