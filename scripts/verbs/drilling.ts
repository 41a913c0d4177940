/** Runs one or several drills, at most `jobs` at a time; removes everything they made when they are interrupted. */
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
  /** Folder of the kept stack; null: not kept. */
  kept: { folder: string; stack: string } | null;
}

/** The drill to run; resolved when its turn comes, so an impossible one does not stop the others. */
export interface Wanted {
  /** Prefix of its output lines, when several run at once; empty: none. */
  prefix: string;
  request: () => Promise<DrillRequest>;
}

/**
 * Resolves with the result of each drill, in the order given; an error for a drill that ended without a report.
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
