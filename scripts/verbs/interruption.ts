/** Ctrl-C in commands that make ephemeral stacks: everything they made is removed. */
import { removeDrill } from "../../drill/remove.ts";
import { say } from "../pulumi/outcome.ts";

/** Everything was removed; the exit code says which signal it was. */
export class InterruptedError extends Error {
  readonly exitCode: number;
  constructor(signal: string, exitCode: number, what: string) {
    super(`interrupted by ${signal}: everything that ${what} made is removed`);
    this.name = "InterruptedError";
    this.exitCode = exitCode;
  }
}

const SIGNALS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;
/** Time for the work to notice the interruption. Milliseconds. */
const NOTICE_MS = 15_000;

/**
 * Runs the work until it is done or interrupted; then removes the folders that the work has named, with the processes in them.
 * @param what of it, in words: "the drill".
 * @throws InterruptedError; the work may still wait then for something that is gone
 */
export async function orInterrupted<T>(
  what: string,
  work: (stopping: AbortSignal, folderKnown: (folder: string) => void) => Promise<T>,
): Promise<T> {
  const stopping = new AbortController();
  const folders = new Set<string>();
  const working = work(stopping.signal, (folder) => folders.add(folder));
  const interrupted = new Promise<never>((_, reject) => {
    for (const [signal, exitCode] of Object.entries(SIGNALS))
      process.on(signal, () => {
        if (stopping.signal.aborted) return;
        stopping.abort(new InterruptedError(signal, exitCode, what));
        say(`${signal}: removing everything that ${what} made …`);
        void removeAll(folders, working).then(() => reject(stopping.signal.reason as Error), reject);
      });
  });
  // The work fails while its folders are removed; only the interruption counts then.
  return Promise.race([interrupted, working.catch((error: Error) => (stopping.signal.aborted ? interrupted : Promise.reject(error)))]);
}

/** Runs twice: something that was just starting shows only when the work has noticed the interruption. */
async function removeAll(folders: ReadonlySet<string>, working: Promise<unknown>): Promise<void> {
  const remove = async (): Promise<void> => void (await Promise.all([...folders].map((folder) => removeDrill(folder))));
  await remove();
  await Promise.race([working.catch(() => undefined), new Promise((noticed) => setTimeout(noticed, NOTICE_MS))]);
  await remove();
}
