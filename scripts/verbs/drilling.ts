/** Drills under way: one or several, at most `jobs` at a time, removed without remains when they are interrupted. */
import { ensureEngine } from "../pulumi/engine.ts";
import { reportOf } from "../../drill/outcome.ts";
import { removeLeftovers } from "../../drill/remove.ts";
import type { DrillReport } from "../../state/drill-reports/schema.ts";
import type { DrillRequest } from "../../drill/request.ts";
import { runDrill } from "../../drill/run.ts";
import { orInterrupted } from "./interruption.ts";
import { say } from "../pulumi/outcome.ts";

export interface Drilled {
  report: DrillReport;
  /** Where it was left standing; null: nowhere. */
  kept: { folder: string; stack: string } | null;
}

/** What is to be drilled; settled when its turn comes, so that one that cannot be does not stop the others. */
export interface Wanted {
  /** Before each of its lines, where several run at once; empty: nothing. */
  prefix: string;
  request: () => Promise<DrillRequest>;
}

/**
 * Resolves with what became of each, in the order given; an error stands for a drill that could not be carried through.
 * @throws InterruptedError
 */
export async function drillEach(project: string, wanted: readonly Wanted[], jobs = 1): Promise<(Drilled | Error)[]> {
  return orInterrupted(wanted.length === 1 ? "the drill" : "the drills", (stopping, folderKnown) =>
    run(project, wanted, jobs, stopping, folderKnown),
  );
}

async function run(
  project: string,
  wanted: readonly Wanted[],
  jobs: number,
  stopping: AbortSignal,
  folderKnown: (folder: string) => void,
): Promise<(Drilled | Error)[]> {
  await removeLeftovers(project, say);
  const engine = await ensureEngine({ log: say });
  const results: (Drilled | Error)[] = [];
  const turns = wanted.entries();
  const worker = async (): Promise<void> => {
    for (const [index, { prefix, request }] of turns) {
      stopping.throwIfAborted();
      try {
        const facts = await runDrill(await request(), engine, (line) => say(`${prefix}${line}`), folderKnown, stopping);
        const kept = facts.kept && facts.stage !== null ? { folder: facts.stage.folder, stack: facts.stage.stack.stack } : null;
        results[index] = { report: reportOf(facts, engine), kept };
      } catch (error) {
        stopping.throwIfAborted();
        results[index] = error instanceof Error ? error : new Error(String(error));
        say(`${prefix}${results[index].message}`);
      }
    }
  };
  await Promise.all(Array.from({ length: jobs }, worker));
  return results;
}
