type Signal = "SIGINT" | "SIGTERM" | "SIGHUP";
const SIGNALS: Record<Signal, number> = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 };

const cleanups = new Set<() => void>();
const onExit = () => {
  for (const cleanup of cleanups) cleanup();
};
const onSignal = (signal: NodeJS.Signals) => process.exit(128 + SIGNALS[signal as Signal]);

/**
 * Runs `cleanup` when this process ends before the returned function is called: by `process.exit`, Ctrl-C, SIGTERM or SIGHUP.
 * A program that handles a signal itself keeps its say over it.
 */
export function onLeave(cleanup: () => void): () => void {
  if (cleanups.size === 0) {
    process.on("exit", onExit);
    for (const signal of Object.keys(SIGNALS) as Signal[]) if (process.listenerCount(signal) === 0) process.on(signal, onSignal);
  }
  cleanups.add(cleanup);
  return () => {
    cleanups.delete(cleanup);
    if (cleanups.size > 0) return;
    process.off("exit", onExit);
    for (const signal of Object.keys(SIGNALS) as Signal[]) process.off(signal, onSignal);
  };
}
