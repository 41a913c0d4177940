/**
 * Removes everything that a drill made: processes that work on it, services, gate, server, stand-ins, witness and folder. Finds what
 * exists, not what should exist.
 */
import { existsSync, readdirSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { gateFolder, processFolder } from "../config/site.ts";
import { observeServer, removeServer } from "../databases/postgres/server.ts";
import { end } from "../processes/end.ts";
import { findByEnvironment, lookUp, type ProcessIdentity } from "../processes/identity.ts";
import { observeProcess, runningNames, stopProcess } from "../processes/process.ts";
import { knownDrills, type KnownDrill } from "./record.ts";

/** Folders of a drill. */
export interface DrillFolders {
  /** Home of the ephemeral stack. */
  home: string;
  server: string;
  /** State folders of supervised processes: services, gate, and the drill's own. */
  processes: string[];
}

/** The drill's own processes: stand-ins and witness. */
export function ownProcesses(folder: string): string {
  return join(folder, "processes");
}

export function foldersOf(folder: string): DrillFolders {
  const home = join(folder, "home");
  return { home, server: join(home, "postgres"), processes: [processFolder({ home }), gateFolder({ home }), ownProcesses(folder)] };
}

/** What exists of a drill, in words; empty: nothing. */
export function remains(folder: string): string[] {
  const { home, server, processes } = foldersOf(folder);
  const found = workers(home).map(({ pid }) => `process ${pid}`);
  for (const state of processes)
    for (const name of namesIn(state)) {
      const { pid, orphans } = observeProcess(state, name);
      for (const each of [...(pid === null ? [] : [pid]), ...orphans.map((orphan) => orphan.pid)]) found.push(`${name} (pid ${each})`);
    }
  const seen = observeServer(server);
  if (seen.state !== "absent") found.push(`database server${seen.pid === null ? "" : ` (pid ${seen.pid})`}`);
  return found;
}

/**
 * Ends and removes all of a drill, in any state. Processes that start others are ended first, so nothing is restarted.
 * @returns what was removed, in words.
 */
export async function removeDrill(folder: string): Promise<string[]> {
  const found = remains(folder);
  const { home, server, processes } = foldersOf(folder);
  for (let left = workers(home); left.length > 0; left = workers(home)) await end("drill", left, 0);
  for (const state of processes) for (const name of namesIn(state)) await stopProcess(state, name, 0);
  await removeServer(server);
  await rm(folder, { recursive: true, force: true, maxRetries: 3, retryDelay: 100 });
  return found;
}

/** Removes drills whose runner is dead. */
export async function removeLeftovers(project: string, say: (line: string) => void): Promise<string[]> {
  return removeAll(
    knownDrills(project).filter(({ record, running }) => !running && record?.kept !== true),
    say,
  );
}

/** Removes kept drills, too; running ones stay. */
export async function removeFinished(project: string, say: (line: string) => void): Promise<string[]> {
  return removeAll(
    knownDrills(project).filter(({ running }) => !running),
    say,
  );
}

async function removeAll(drills: KnownDrill[], say: (line: string) => void): Promise<string[]> {
  const removed: string[] = [];
  for (const { folder, record } of drills) {
    const how = record === null ? "has no readable record" : record.kept ? "was kept" : `ended without cleaning up (${record.phase})`;
    const found = await removeDrill(folder);
    const name = record?.runId ?? folder;
    say(`drill ${name} ${how}: removed ${[...found, "its folder"].join(", ")}`);
    removed.push(name);
  }
  return removed;
}

/** Commands, engines, providers and background work on the stack, found by its home in their environment. */
function workers(home: string): ProcessIdentity[] {
  // A user's shell may have it set as well, to inspect a kept drill.
  const ours = new Set<number>();
  for (let pid = process.pid; pid > 1 && !ours.has(pid); pid = lookUp(pid)?.parent ?? 0) ours.add(pid);
  return findByEnvironment("BACKOUT_HOME", home)
    .filter(({ pid, value }) => value === home && !ours.has(pid))
    .map(({ pid, startTime }) => ({ pid, startTime }));
}

function namesIn(state: string): string[] {
  const recorded = existsSync(state) ? readdirSync(state).flatMap((name) => /^([A-Za-z0-9][\w.-]*)\.json$/.exec(name)?.[1] ?? []) : [];
  return [...new Set([...recorded, ...runningNames(state)])];
}
