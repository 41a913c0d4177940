/** Stops services, and confirms it. */
import { end } from "./end.ts";
import { StillRunningError } from "./errors.ts";
import { familyOf } from "./observe.ts";
import { readRecord } from "./record.ts";

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
  const record = readRecord(stateFolder, name);
  const members = familyOf(stateFolder, name);
  const { killed, waitedMs } = await end(name, members, graceMs);
  // Processes that were started meanwhile.
  const late = await end(name, familyOf(stateFolder, name), 0);
  const how = killed || late.killed ? "killed" : members.length === 0 ? "already stopped" : "terminated";
  return { how, pid: members[0]?.pid ?? record?.pid ?? null, waitedMs: waitedMs + late.waitedMs };
}

/** @throws StillRunningError naming each of `names` that runs, with everything it started, and its pid. */
export function confirmStopped(stateFolder: string, names: string[]): void {
  const running = names.flatMap((name) => familyOf(stateFolder, name).map(({ pid }) => ({ name, pid })));
  if (running.length > 0) throw new StillRunningError(running);
}
