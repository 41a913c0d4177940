/** Stops services, and confirms it. */
import { end } from "./end.ts";
import { StillRunningError } from "./errors.ts";
import { findByGroup, type ProcessIdentity } from "./identity.ts";
import { observeProcess } from "./observe.ts";
import type { ProcessRecord } from "./record.ts";

export interface StopResult {
  how: "already stopped" | "terminated" | "killed";
  /** The recorded process, or the first orphan; null: nothing ever ran. */
  pid: number | null;
  waitedMs: number;
}

/**
 * Stops what runs under a name, with all its children: SIGTERM, after `graceMs` SIGKILL; resolves when all have ended.
 * @throws StillRunningError if one cannot be killed.
 */
export async function stopProcess(stateFolder: string, name: string, graceMs: number): Promise<StopResult> {
  const seen = observeProcess(stateFolder, name);
  const group = seen.running && seen.record !== null ? groupOf(seen.record) : [];
  const members = [...group, ...seen.orphans];
  const { killed, waitedMs } = await end(name, members, graceMs);
  // Processes forked meanwhile have the marker too.
  const late = await end(name, observeProcess(stateFolder, name).orphans, 0);
  const how = killed || late.killed ? "killed" : members.length === 0 ? "already stopped" : "terminated";
  return { how, pid: group[0]?.pid ?? seen.orphans[0]?.pid ?? seen.record?.pid ?? null, waitedMs: waitedMs + late.waitedMs };
}

/** @throws StillRunningError naming each of `names` that runs, its orphans included, with its pid. */
export function confirmStopped(stateFolder: string, names: string[]): void {
  const running = names.flatMap((name) => {
    const { pid, orphans } = observeProcess(stateFolder, name);
    return [...(pid === null ? [] : [pid]), ...orphans.map((each) => each.pid)].map((each) => ({ name, pid: each }));
  });
  if (running.length > 0) throw new StillRunningError(running);
}

/** The recorded process first, then the other members of its group. */
function groupOf(record: ProcessRecord): ProcessIdentity[] {
  return [record, ...findByGroup(record.pid).filter((each) => each.pid !== record.pid)];
}
