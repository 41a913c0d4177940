/** What is true of SQLite files: facts, sizes, room for copies, who has them open. Changes nothing. */
import { existsSync, readdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { commandOf } from "../../../config/commands.ts";
import type { Snapshot } from "../../../config/record.ts";
import { processFolder, type Site } from "../../../config/site.ts";
import { requireRoomAt } from "../../../processes/room.ts";
import { foundKey } from "../../../state/adoption.ts";
import { isBusy, isDamaged, lookInto } from "../database.ts";
import { refuseStrangers } from "../fence.ts";
import { BESIDE } from "../identity.ts";
import { ledgerIn } from "../detect.ts";
import { readLedger } from "../migrations.ts";
import { tableNames } from "../shape.ts";
import { findByEnvironment } from "../../../processes/identity.ts";
import { MARKER, markerPrefix } from "../../../processes/record.ts";
import type { InspectContext } from "../../engine.ts";
import { ledgerFacts, migrationsOf } from "../../shared/migrations/of-definition.ts";
import type { DatabaseFacts, DatabasePlan, Lineage } from "../../../config/plan.ts";
import { copiesFolder, livePath } from "./places.ts";
import { isOwn, liveState } from "./swaps.ts";

export { rowsAtRisk } from "./at-risk.ts";
export { openLive, openToRead } from "./session.ts";

/** A file takes the place of another whatever it holds, and carries neither roles nor followers. */
export const refuseRestore = (): Promise<void> => Promise.resolve();
export const noStandbyBecause = (): Promise<null> => Promise.resolve(null);
export const leftBehind = (): Promise<string[]> => Promise.resolve([]);
export const objects = (): Promise<null> => Promise.resolve(null);

export async function facts(at: InspectContext, database: string): Promise<DatabaseFacts> {
  const { exists, lineage } = liveState(at.site, at.state, database);
  return Promise.resolve({ exists, lineage, ...(exists ? migrationFacts(at, database) : NONE) });
}

export async function lineage({ site, state }: InspectContext, database: string): Promise<Lineage> {
  return Promise.resolve(liveState(site, state, database).lineage);
}

const NONE = { applied: [], failed: [] };

/** None where the file is closed by another run, bears no name in the middle of a swap, or is damaged: damage is a reason to go back, not an obstacle. */
function migrationFacts({ site, definition }: InspectContext, database: string): Pick<DatabaseFacts, "applied" | "failed"> {
  const live = livePath(site, database);
  if (!existsSync(live)) return NONE;
  try {
    return lookInto(live, (db) => {
      const ledger = ledgerIn(db, definition, database);
      return ledgerFacts(readLedger(db, ledger, migrationsOf(definition, database, ledger)), ledger);
    });
  } catch (error) {
    if (isBusy(error) || isDamaged(error)) return NONE;
    throw error;
  }
}

/** A file with tables that nobody has taken over: what an update would do with it was never looked at. */
export async function foreign(
  { site, definition, state }: InspectContext,
  database: string,
  plan: DatabasePlan,
  applied: readonly string[],
): Promise<string[]> {
  const live = livePath(site, database);
  if (plan.action.kind === "create" || !existsSync(live)) return [];
  if (state !== null && ((await state.kept(foundKey(database))) !== null || (await isOwn(state, site, database)))) return [];
  const tables = tablesIn(live);
  if (tables.length === 0) return [];
  const adopt = (more = ""): string => `\`${commandOf(site.project, "backout", `adopt --stack ${site.stack}${more}`)}\``;
  if (site.adopt !== true)
    return [
      `${live} was not made by this stack: it has ${tables.length} table(s), ${tables.slice(0, 5).join(", ")}. Nothing was touched. ` +
        `To take it over as it is, run ${adopt()}, which sets backout:adopt: true and stops nothing`,
    ];
  if (applied.length > 0 || plan.up.length === 0) return [];
  const ledger = lookInto(live, (db) => ledgerIn(db, definition, database));
  return [
    `${plan.up.join(", ")} would run on ${live}, which has tables and no record of any of them in its ledger (${ledger}): ` +
      `${adopt(" --baseline <newest migration that is in it>")} records what is there already, and runs nothing`,
  ];
}

/** None where it cannot be read: damage is found by who opens it. */
function tablesIn(live: string): string[] {
  try {
    return lookInto(live, tableNames);
  } catch (error) {
    if (isBusy(error) || isDamaged(error)) return [];
    throw error;
  }
}

/** The stack's own services are stopped before the fence; anybody else who has a file open would fail it when users are out already. */
export async function refuseUnfenceable({ site }: InspectContext, databases: readonly string[]): Promise<void> {
  if (site.target !== "process") return;
  for (const database of databases) {
    const live = livePath(site, database);
    await refuseStrangers(live, ({ pid }) => servicePids(site).has(pid));
  }
}

function servicePids(site: Site): Set<number> {
  return new Set(findByEnvironment(MARKER, markerPrefix(processFolder(site))).map(({ pid }) => pid));
}

export async function requireRoom({ site }: InspectContext, copies: readonly string[], withoutStandby: readonly Snapshot[]): Promise<void> {
  const takenBytes = copies.reduce((sum, database) => sum + bytesOf(livePath(site, database)), 0);
  if (takenBytes > 0) await requireRoomAt(join(site.home, "snapshots"), takenBytes);
  for (const { database, sizeBytes } of withoutStandby) await requireRoomAt(dirname(livePath(site, database)), sizeBytes ?? 0);
}

export async function liveBytes({ site }: InspectContext, database: string): Promise<number> {
  return Promise.resolve(bytesOf(livePath(site, database)));
}

export async function copyBytes({ site, definition, state }: InspectContext): Promise<Map<string, number>> {
  const sizes = new Map<string, number>();
  for (const [database, { engine }] of Object.entries(definition.databases)) {
    if (engine !== "sqlite") continue;
    const folder = copiesFolder(site, database);
    const names = existsSync(folder) ? readdirSync(folder).flatMap((name) => /^(.+)\.db$/.exec(name)?.[1] ?? []) : [];
    for (const name of names) sizes.set(name, bytesOf(join(folder, `${name}.db`)));
  }
  if (state !== null) for (const { location } of await state.readySnapshots()) sizes.set(location, bytesOf(location));
  return sizes;
}

/** With its log; 0 where there is none. */
export function bytesOf(path: string): number {
  return [path, ...BESIDE.map((suffix) => path + suffix)].reduce(
    (sum, name) => sum + (statSync(name, { throwIfNoEntry: false })?.size ?? 0),
    0,
  );
}
