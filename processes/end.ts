/** Ends processes reliably. */
import { setTimeout as sleep } from "node:timers/promises";
import { StillRunningError } from "./errors.ts";
import { isAlive, lookUp, signal, signalGroup, type ProcessIdentity } from "./identity.ts";

const POLL_MS = 5;
/** Time for a killed process to end (it may be in uninterruptible input or output). Milliseconds. */
const KILL_WAIT_MS = 15_000;

/** Ends exactly these processes: SIGTERM first if `graceMs` is above 0. */
export async function end(name: string, processes: ProcessIdentity[], graceMs: number): Promise<{ killed: boolean; waitedMs: number }> {
  const began = performance.now();
  const waitedMs = () => Math.round(performance.now() - began);
  if (processes.length === 0) return { killed: false, waitedMs: 0 };
  if (graceMs > 0) {
    sendAll(processes, "SIGTERM");
    if (await gone(processes, graceMs)) return { killed: false, waitedMs: waitedMs() };
  }
  const killed = sendAll(processes, "SIGKILL");
  if (!(await gone(processes, KILL_WAIT_MS))) {
    throw new StillRunningError(processes.filter(isAlive).map(({ pid }) => ({ name, pid })));
  }
  return { killed, waitedMs: waitedMs() };
}

/** Signals whole groups first, so no child escapes by a fork in between; then processes in none of them. True: a process was reached. */
function sendAll(processes: ProcessIdentity[], name: NodeJS.Signals): boolean {
  const groups = processes.filter((each) => signalGroup(each, name)).map((each) => each.pid);
  const others = processes.filter((each) => !groups.includes(lookUp(each.pid)?.group ?? each.pid));
  return others.filter((each) => signal(each, name)).length + groups.length > 0;
}

async function gone(processes: ProcessIdentity[], withinMs: number): Promise<boolean> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    if (!processes.some(isAlive)) return true;
    if (performance.now() >= deadline) return false;
    await sleep(POLL_MS);
  }
}
