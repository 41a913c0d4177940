/**
 * Arming: the time a rollback takes is decided beforehand. An armed snapshot has a copy of itself, restored beside the live database and
 * verified, that the cut-over consumes. It is made in the background, by a process that outlives the update.
 */
import { spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, writeFileSync } from "node:fs";
import { constants, setPriority } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { CatalogueDatabase, ControlRecord, Snapshot } from "../control/record.ts";
import type { Site } from "../declared/site.ts";

export async function isArmed(control: ControlRecord, snapshot: Snapshot): Promise<boolean> {
  return (await copiesOf(control, snapshot)).some(({ verified }) => verified !== null);
}

export async function copiesOf(control: ControlRecord, snapshot: Snapshot): Promise<CatalogueDatabase[]> {
  return (await control.catalogued()).filter(({ role, snapshotId }) => role === "armed" && snapshotId === snapshot.id);
}

/** Snapshots that should be armed and are not, newest first. */
export async function toArm(control: ControlRecord, policy: "deploy" | "always" | "never"): Promise<Snapshot[]> {
  if (policy === "never") return [];
  const snapshots = (await control.readySnapshots()).reverse();
  const newest = new Map<string, Snapshot>();
  for (const snapshot of snapshots) if (!newest.has(snapshot.database)) newest.set(snapshot.database, snapshot);
  const wanted = policy === "always" ? snapshots : [...newest.values()];
  const missing: Snapshot[] = [];
  for (const snapshot of wanted) if (!(await isArmed(control, snapshot))) missing.push(snapshot);
  return missing;
}

/** Starts the background process; it ends by itself when nothing is left to arm. */
export function armInBackground(site: Site, policy: "deploy" | "always" | "never"): void {
  if (policy === "never") return;
  const folder = join(site.home, "arming");
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const { bare, password } = withoutPassword(site);
  writeFileSync(join(folder, "site.json"), JSON.stringify({ site: bare, policy }), { mode: 0o600 });
  const log = openSync(join(folder, "arming.log"), "a", 0o600);
  const suffix = import.meta.url.endsWith(".ts") ? "ts" : "js";
  const program = fileURLToPath(new URL(`./arm-main.${suffix}`, import.meta.url));
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", program, join(folder, "site.json")], {
    detached: true,
    stdio: ["ignore", log, log],
    env: { ...process.env, ...(password === undefined ? {} : { BACKOUT_SERVER_PASSWORD: password }) },
  });
  stepBack(child.pid);
  child.unref();
  closeSync(log);
}

/** The services, and the update that ends now, come first: nobody waits for it. */
function stepBack(pid: number | undefined): void {
  try {
    if (pid !== undefined) setPriority(pid, constants.priority.PRIORITY_BELOW_NORMAL);
  } catch {
    // Not allowed here: it is done at the same priority.
  }
}

/** The password goes by the environment, not into a file. */
function withoutPassword(site: Site): { bare: Site; password: string | undefined } {
  const { server, ...rest } = site;
  if (server === undefined) return { bare: rest, password: undefined };
  const { password, ...declared } = server;
  return { bare: { ...rest, server: declared }, password };
}
