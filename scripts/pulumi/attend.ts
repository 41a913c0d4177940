import { spawn, type ChildProcess } from "node:child_process";
import { constants } from "node:os";

const FORWARDED = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
/** npm passes on the signal that a terminal has already sent to everyone: within this time the same signal is the same wish. */
const SAME_WISH_MS = 500;

/**
 * Runs a command in the foreground, on this terminal, until it ends; returns its exit code.
 *
 * A first Ctrl-C asks Pulumi to finish what is under way, a second one ends it at once, so each wish must arrive exactly once.
 * At a terminal the command gets Ctrl-C from the terminal itself; anywhere else it has a process group of its own and gets what we pass on.
 */
export async function attend(command: string, args: readonly string[], options: { cwd: string; env: NodeJS.ProcessEnv }): Promise<number> {
  const atTerminal = process.stdin.isTTY === true;
  const lastSent = new Map<NodeJS.Signals, number>();
  const forward = (signal: NodeJS.Signals) => {
    if (atTerminal && signal === "SIGINT") return;
    const now = performance.now();
    if (now - (lastSent.get(signal) ?? -Infinity) < SAME_WISH_MS) return;
    lastSent.set(signal, now);
    child.kill(signal);
  };
  // Before the command starts: a signal that comes at once would end this process, and leave the command to itself.
  for (const signal of FORWARDED) process.on(signal, forward);
  let child: ChildProcess;
  try {
    child = spawn(command, args, { ...options, stdio: "inherit", detached: !atTerminal });
    return await new Promise<number>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (code, signal) => resolve(code ?? 128 + (signal ? constants.signals[signal] : 0)));
    });
  } finally {
    for (const signal of FORWARDED) process.off(signal, forward);
  }
}
