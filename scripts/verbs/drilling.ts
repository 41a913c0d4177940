/** Drills under way: one or several, at most `jobs` at a time, removed without remains when they are interrupted. */
import { ensureEngine } from "../engine/engine.ts";
import { reportOf } from "../../drill/outcome.ts";
import { removeDrill, removeLeftovers } from "../../drill/remove.ts";
import type { DrillReport } from "../../drill/report/schema.ts";
import type { DrillRequest } from "../../drill/request.ts";
import { runDrill } from "../../drill/run.ts";
import { say } from "./outcome.ts";

/** Ctrl-C: everything was removed, and the exit code says which signal it was. */
export class InterruptedError extends Error {
  readonly exitCode: number;
  constructor(signal: string, exitCode: number) {
    super(`interrupted by ${signal}: everything the drill made is removed`);
    this.name = "InterruptedError";
    this.exitCode = exitCode;
  }
}

const SIGNALS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

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

/** How long the drills may take to notice that they were interrupted. Milliseconds. */
const NOTICE_MS = 15_000;

/**
 * Resolves with what became of each, in the order given; an error stands for a drill that could not be carried through.
 * @throws InterruptedError
 */
export async function drillEach(project: string, wanted: readonly Wanted[], jobs = 1): Promise<(Drilled | Error)[]> {
  const stopping = new AbortController();
  const folders = new Set<string>();
  const work = run(project, wanted, jobs, stopping.signal, (folder) => folders.add(folder));
  const interrupted = new Promise<never>((_, reject) => {
    for (const [signal, exitCode] of Object.entries(SIGNALS))
      process.on(signal, () => {
        if (stopping.signal.aborted) return;
        stopping.abort(new InterruptedError(signal, exitCode));
        say(`${signal}: ${wanted.length === 1 ? "the drill is" : "the drills are"} being removed …`);
        void removeInterrupted(folders, work).then(() => reject(stopping.signal.reason as Error), reject);
      });
  });
  // Whatever a drill was doing fails under its feet once it is being removed; only the interruption counts then.
  return Promise.race([interrupted, work.catch((error: Error) => (stopping.signal.aborted ? interrupted : Promise.reject(error)))]);
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

/** Twice: what a drill was just starting when it was interrupted comes to light when it has noticed. */
async function removeInterrupted(folders: ReadonlySet<string>, work: Promise<unknown>): Promise<void> {
  const remove = async (): Promise<void> => void (await Promise.all([...folders].map((folder) => removeDrill(folder))));
  await remove();
  await Promise.race([work.catch(() => undefined), new Promise((noticed) => setTimeout(noticed, NOTICE_MS))]);
  await remove();
}
