/** Ctrl-C in what makes stacks of its own: nothing of them is left. */
import { removeDrill } from "../../drill/remove.ts";
import { say } from "../pulumi/outcome.ts";

/** Everything was removed, and the exit code says which signal it was. */
export class InterruptedError extends Error {
  readonly exitCode: number;
  constructor(signal: string, exitCode: number, what: string) {
    super(`interrupted by ${signal}: everything ${what} made is removed`);
    this.name = "InterruptedError";
    this.exitCode = exitCode;
  }
}

const SIGNALS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;
/** How long the work may take to notice that it was interrupted. Milliseconds. */
const NOTICE_MS = 15_000;

/**
 * Works until it is done or interrupted; then the folders that the work has named are removed, with whoever works on them.
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
        say(`${signal}: everything ${what} made is being removed …`);
        void removeAll(folders, working).then(() => reject(stopping.signal.reason as Error), reject);
      });
  });
  // Whatever was being done fails under its feet once it is being removed; only the interruption counts then.
  return Promise.race([interrupted, working.catch((error: Error) => (stopping.signal.aborted ? interrupted : Promise.reject(error)))]);
}

/** Twice: what was just being started when it was interrupted comes to light when the work has noticed. */
async function removeAll(folders: ReadonlySet<string>, working: Promise<unknown>): Promise<void> {
  const remove = async (): Promise<void> => void (await Promise.all([...folders].map((folder) => removeDrill(folder))));
  await remove();
  await Promise.race([working.catch(() => undefined), new Promise((noticed) => setTimeout(noticed, NOTICE_MS))]);
  await remove();
}
