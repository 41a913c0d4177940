/**
 * Standby copies: the time a rollback takes is decided beforehand. A snapshot with a standby copy has a copy of itself, restored beside the live database and
 * verified, that the cut-over consumes. It is made in the background, by a process that outlives the update.
 */
import { spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { constants, setPriority } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { CatalogueDatabase, StateStore, Snapshot } from "../config/record.ts";
import type { Site } from "../config/site.ts";
import { end } from "../processes/end.ts";
import { isAlive, lookUp, type ProcessIdentity } from "../processes/identity.ts";
import { bringSnapshot } from "./artefacts.ts";
import { baseSnapshot } from "./at-risk.ts";
import type { CopyContext, InspectContext } from "../databases/engine.ts";
import { copiesOf, engineOf, inspectionOf } from "../databases/registry.ts";
import type { RolloutPlan } from "../config/plan.ts";
import { StepFailedError } from "./run.ts";
import type { Run } from "../config/run.ts";
import { standbyCopiesOf } from "../databases/shared/copies.ts";

export async function hasStandby(state: StateStore, snapshot: Snapshot): Promise<boolean> {
  return (await standbyCopiesOf(state, snapshot)).some(({ verified }) => verified !== null);
}

/** Whether the way back is ready, and why not. */
export interface Readiness {
  standby: boolean;
  /** Null where it has its standby copy, and where nothing has tried to make it. */
  reason: string | null;
}

export async function readinessOf(at: InspectContext & { state: StateStore }, snapshot: Snapshot): Promise<Readiness> {
  const copied = await hasStandby(at.state, snapshot);
  const reason = copied
    ? await (await inspectionOf(at, snapshot.database)).noStandbyBecause(at, snapshot)
    : await attemptSaid(at.state, snapshot);
  return { standby: copied && reason === null, reason };
}

/** What is known of the last attempt to make a standby copy of a snapshot. */
type Attempt = { began: ProcessIdentity } | { failed: string };

const attemptKey = (snapshot: Snapshot): string => `standby: ${snapshot.id}`;

/** What became of the last attempt to make a standby copy of a snapshot; `none`: nobody has begun. */
export type AttemptState = { state: "none" | "working" | "ended" } | { state: "failed"; reason: string };

export async function attemptAt(state: StateStore, snapshot: Snapshot): Promise<AttemptState> {
  const attempt = await state.kept<Attempt>(attemptKey(snapshot));
  if (attempt === null) return { state: "none" };
  return "failed" in attempt ? { state: "failed", reason: attempt.failed } : { state: isAlive(attempt.began) ? "working" : "ended" };
}

async function attemptSaid(state: StateStore, snapshot: Snapshot): Promise<string | null> {
  const attempt = await attemptAt(state, snapshot);
  switch (attempt.state) {
    case "none":
      return null;
    case "failed":
      return attempt.reason;
    case "working":
      return "its copy is being made and verified right now";
    case "ended":
      return "making its copy was interrupted";
  }
}

/** Makes a snapshot's standby copy; what becomes of it is kept, so that status and previews can tell. */
export async function prepareStandby(keeping: CopyContext, snapshot: Snapshot): Promise<CatalogueDatabase> {
  const { state } = keeping;
  await state.keep(attemptKey(snapshot), { began: identityOf(process.pid) } satisfies Attempt);
  try {
    await bringSnapshot(keeping, snapshot, (line) => keeping.log("info", line));
    const copy = await (await copiesOf(keeping, snapshot.database)).makeStandby(keeping, snapshot);
    await state.forget(attemptKey(snapshot));
    return copy;
  } catch (error) {
    await state.keep(attemptKey(snapshot), { failed: (error as Error).message } satisfies Attempt);
    throw error;
  }
}

function identityOf(pid: number): ProcessIdentity {
  return { pid, startTime: lookUp(pid)?.startTime ?? "" };
}

/**
 * Makes the copies that the cut-over will consume while users are still in: afterwards they would wait for them. What cannot be copied beside the
 * live database is left to the cut-over.
 */
export async function makeStandbysBefore(run: Run, databases: RolloutPlan["databases"]): Promise<void> {
  for (const [database, { action }] of Object.entries(databases)) {
    if (action.kind !== "restore" || (await engineOf(run, database)).inPlace) continue;
    const snapshot = await baseSnapshot(run, database, action);
    if (snapshot === null || (await hasStandby(run.state, snapshot))) continue;
    const name = `copy of ${snapshot.name}@${snapshot.generation} of ${database}`;
    const startedAt = performance.now();
    // No step of the rollout's: that begins when something is kept from users.
    await run.state
      .whileMakingStandby(async () => {
        // The background process may have finished it meanwhile.
        if (!(await hasStandby(run.state, snapshot))) await prepareStandby(run, snapshot);
      })
      .catch((error: unknown) => {
        throw new StepFailedError(run.site, "fence", name, error);
      });
    run.log("info", `before the fence: ${name} (${Math.round(performance.now() - startedAt)} ms)`);
  }
}

/** Snapshots that should have a standby copy and have none, newest first. */
export async function missingStandbys(state: StateStore, policy: "deploy" | "always" | "never"): Promise<Snapshot[]> {
  if (policy === "never") return [];
  const snapshots = (await state.readySnapshots()).reverse();
  const newest = new Map<string, Snapshot>();
  for (const snapshot of snapshots) if (!newest.has(snapshot.database)) newest.set(snapshot.database, snapshot);
  const wanted = policy === "always" ? snapshots : [...newest.values()];
  const missing: Snapshot[] = [];
  for (const snapshot of wanted) if (!(await hasStandby(state, snapshot))) missing.push(snapshot);
  return missing;
}

/** Starts the background process; it ends by itself when each has its copy or cannot get one. */
export function makeStandbysInBackground(site: Site, policy: "deploy" | "always" | "never"): void {
  if (policy === "never") return;
  const folder = join(site.home, "standby");
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const { bare, password, key } = withoutPassword(site);
  writeFileSync(join(folder, "site.json"), JSON.stringify({ site: bare, policy }), { mode: 0o600 });
  const log = openSync(join(folder, "standby.log"), "a", 0o600);
  const suffix = import.meta.url.endsWith(".ts") ? "ts" : "js";
  const program = fileURLToPath(new URL(`./standby-main.${suffix}`, import.meta.url));
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", program, join(folder, "site.json")], {
    detached: true,
    stdio: ["ignore", log, log],
    env: { ...process.env, ...(password === undefined ? {} : { BACKOUT_SERVER_PASSWORD: password }), ...inEnvironment(key) },
  });
  stepBack(child.pid);
  child.unref();
  closeSync(log);
  const begun = child.pid === undefined ? null : lookUp(child.pid);
  if (begun !== null)
    writeFileSync(makersFile(site), JSON.stringify([...makers(site), { pid: begun.pid, startTime: begun.startTime }]), { mode: 0o600 });
}

function makersFile({ home }: Pick<Site, "home">): string {
  return join(home, "standby", "makers.json");
}

/** Background processes that are still there. */
function makers(site: Pick<Site, "home">): ProcessIdentity[] {
  try {
    return (JSON.parse(readFileSync(makersFile(site), "utf8")) as ProcessIdentity[]).filter(isAlive);
  } catch {
    return [];
  }
}

/** Ends the background processes of a stack that is destroyed: what they make would go with it. */
export async function endStandbyMaking(site: Pick<Site, "home">): Promise<void> {
  await end("the making of a standby copy", makers(site), 0);
}

/** The services, and the update that ends now, come first: nobody waits for it. */
function stepBack(pid: number | undefined): void {
  try {
    if (pid !== undefined) setPriority(pid, constants.priority.PRIORITY_BELOW_NORMAL);
  } catch {
    // Not allowed here: it is done at the same priority.
  }
}

/** Password and access key go by the environment, not into a file; what services are configured with is not needed. */
function withoutPassword(site: Site): { bare: Site; password: string | undefined; key: Site["storeKey"] } {
  const { server, secretConfig: _unneeded, secrets: _either, storeKey: key, ...rest } = site;
  if (server === undefined) return { bare: rest, password: undefined, key };
  const { password, ...declared } = server;
  return { bare: { ...rest, server: declared }, password, key };
}

function inEnvironment(key: Site["storeKey"]): NodeJS.ProcessEnv {
  if (key === undefined) return {};
  return { AWS_ACCESS_KEY_ID: key.accessKeyId, AWS_SECRET_ACCESS_KEY: key.secretAccessKey, AWS_SESSION_TOKEN: key.sessionToken };
}
