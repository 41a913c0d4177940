/** What the checks see: the system through the gate with the verifier's pass, its data, and what was recorded before. */
import { restoredBy } from "../../state/snapshots.ts";
import { plainConfig } from "../../config/secret-config.ts";
import { definedSecret } from "../../config/secrets.ts";
import { databaseUrl, type Site } from "../../config/site.ts";
import type { SystemDefinition } from "../../config/system/definition.ts";
import type { Pins } from "../../config/pins.ts";
import { actionsDone } from "../action.ts";
import { canonicalTable } from "../../databases/shared/identifiers.ts";
import { verifierPass } from "../gate.ts";
import { targetOf } from "../../workloads/index.ts";
import type { Target } from "../../workloads/target.ts";
import type { Rollout } from "../../config/record.ts";
import { countsAfterReapply } from "../steps/reapply.ts";
import { originalsOf } from "../originals.ts";
import type { Run } from "../../config/run.ts";
import type { HeldProtection } from "../../config/system/protection.ts";
import type { Baseline, CheckContext } from "../../config/system/check.ts";
import { openData, violationsOf } from "../../databases/open-data.ts";
import { linesSince, serverUpSince } from "./lines-since.ts";

export type OpenedContext = CheckContext & { end(): Promise<void> };

/**
 * @param open users can write while the checks run (`backout verify` on an open system).
 * @param readOnly sessions refuse to write: for watches, which change nothing.
 * @param attempt it verifies the rollout: of services that were not started by it, what they wrote to their logs before is not its doing.
 */
export async function openContext(
  run: Run,
  pins: Pins,
  { open, readOnly = false, attempt = false }: { open: boolean; readOnly?: boolean; attempt?: boolean },
): Promise<OpenedContext> {
  const { site, definition, state } = run;
  const target = targetOf(site, definition);
  const rollout = await state.rollout(run.epoch);
  const restored = Object.values(rollout?.plan.databases ?? {}).some(({ action }) => action.kind === "restore");
  const undone = Object.values(rollout?.plan.databases ?? {}).some(({ action }) => action.kind === "undo");
  const data = openData(site, { readOnly });
  const pass = verifierPass(site);
  const earlier = attempt ? await earlierLines(target, pins, rollout) : {};
  let upSince: Promise<number | null> | undefined;
  return {
    url: (service) => `http://127.0.0.1:${site.ports[service]}`,
    fetch: (url, init) =>
      fetch(url, {
        signal: AbortSignal.timeout(10_000),
        ...init,
        headers: { ...Object.fromEntries(new Headers(init?.headers)), "x-backout-pass": pass },
      }),
    passHeaders: { "x-backout-pass": pass },
    database: data.database,
    sqlite: data.sqlite,
    violations: (query) => violationsOf(site, query),
    connection: async (database, { writes }) => Promise.resolve(checkConnection(site, definition, database, writes && !readOnly)),
    release: pins.release,
    releases: Object.fromEntries(Object.entries(pins.services).map(([name, pin]) => [name, pin.release])),
    running: Object.fromEntries(Object.entries(pins.services).map(([name, pin]) => [name, pin.run])),
    secret: (name) => definedSecret(site, definition, name),
    configuration: (service) => plainConfig(site, pins.services[service]?.config ?? {}),
    recorded: await recordedObjects(run, pins, rollout?.baseline ?? null),
    baseline: restored ? await restoredBaseline(run) : undone ? null : (rollout?.baseline ?? null),
    dataRestored: restored,
    open,
    counting: open ? "any" : restored || rollout?.plan.fenceData !== false ? "exact" : "at least",
    errorLog: async (service, lines) => {
      const written = (await target.errorLog(service, lines, earlier[service])).slice(-lines);
      if (written.length === 0) return written;
      upSince ??= serverUpSince(site.server !== undefined, definition, data);
      return linesSince(written, (await upSince) ?? 0);
    },
    flags: pins.flags,
    constraints: pins.constraints ?? {},
    maintenance: pins.maintenance,
    scope: rollout?.plan.scope ?? null,
    schema: pins.schema,
    protections: await heldProtections(run),
    observe: (service) => target.observe(service),
    ...(definition.actions === undefined ? {} : { actionsDone: await actionsDone(state) }),
    end: data.end,
  };
}

/** The services' own role; unless the check writes, its sessions begin such that they only read. A SQLite file has no sessions to tell. */
function checkConnection(site: Site, definition: SystemDefinition, database: string, writes: boolean): string {
  const url = databaseUrl(site, definition, database);
  if (writes || definition.databases[database]?.engine === "sqlite") return url;
  return `${url}?options=${encodeURIComponent("-c default_transaction_read_only=on")}`;
}

/** How far the logs of services that this rollout did not stop had come when the attempt began. */
async function earlierLines(target: Target, pins: Pins, rollout: Rollout | null): Promise<Record<string, number>> {
  const kept = Object.entries(pins.services).filter(([service, { run }]) => run && rollout?.plan.stop.includes(service) === false);
  return Object.fromEntries(await Promise.all(kept.map(async ([service]) => [service, await target.errorMark(service)] as const)));
}

/**
 * Objects of the data as it last was at the declared release: recorded by the deployment that left that release, whether or not its snapshot is
 * restored now; else by this rollout, where it leaves the release as it is.
 */
async function recordedObjects(run: Run, pins: Pins, own: Baseline | null): Promise<Baseline["objects"] | null> {
  const left = (await run.state.readySnapshots()).filter(
    ({ baseline, automatic, name }) => automatic && !name.startsWith("before-down-") && baseline?.release === pins.release,
  );
  const baseline = left.at(-1)?.baseline ?? (own?.release === pins.release ? own : null);
  return baseline?.objects ?? null;
}

/** What was restored, and with it the rows that were put back since. */
async function restoredBaseline(run: Run): Promise<Baseline | null> {
  const baseline = await snapshotBaseline(run);
  return baseline === null ? null : { ...baseline, counts: { ...baseline.counts, ...(await countsAfterReapply(run, run.epoch)) } };
}

async function heldProtections({ definition, state }: Run): Promise<Record<string, HeldProtection | null>> {
  const held: Record<string, HeldProtection | null> = {};
  for (const { id } of definition.protections ?? []) held[id] = await originalsOf(state, id);
  return held;
}

async function snapshotBaseline(run: Run): Promise<Baseline | null> {
  const rollout = await run.state.rollout(run.epoch);
  const snapshots = await run.state.readySnapshots();
  for (const [database, { action }] of Object.entries(rollout?.plan.databases ?? {})) {
    const snapshot = restoredBy(action, snapshots, database);
    if (snapshot === null) continue;
    const tables = (snapshot.manifest as { tables?: Record<string, { rows: number }> } | null)?.tables;
    if (tables === undefined || snapshot.baseline === null) return snapshot.baseline;
    const held = Object.fromEntries(Object.entries(tables).map(([table, { rows }]) => [canonicalTable(table), Number(rows)]));
    // What an older record says of a dump was read from what the dump was restored to: where rows were counted in the fence, that is the truth.
    return { ...snapshot.baseline, counts: snapshot.driver === "dump" ? { ...held, ...snapshot.baseline.counts } : held };
  }
  return null;
}
