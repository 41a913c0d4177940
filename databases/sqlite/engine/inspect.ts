/** What is true of SQLite files: facts, sizes, room for copies, who has them open. Changes nothing. */
import { existsSync, readdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Snapshot } from "../../../config/record.ts";
import { processFolder, type Site } from "../../../config/site.ts";
import { requireRoomAt } from "../../../processes/room.ts";
import { isBusy, isDamaged, withFile } from "../database.ts";
import { refuseStrangers } from "../fence.ts";
import { BESIDE } from "../identity.ts";
import type { MigrationState } from "../../shared/migrations/status.ts";
import { appliedMigrations } from "../migrations.ts";
import { findByEnvironment } from "../../../processes/identity.ts";
import { MARKER, markerPrefix } from "../../../processes/record.ts";
import type { InspectContext } from "../../engine.ts";
import { ledgerFacts, migrationsOf } from "../../shared/migrations/of-definition.ts";
import type { DatabaseFacts, Lineage } from "../../../config/plan.ts";
import { copiesFolder, livePath } from "./places.ts";
import { liveState } from "./swaps.ts";
import { ledgerOf } from "./ledger.ts";

export { rowsAtRisk } from "./at-risk.ts";
export { openLive, openToRead } from "./session.ts";

/** A file takes the place of another whatever it holds, and carries neither roles nor followers. */
export const refuseRestore = (): Promise<void> => Promise.resolve();
export const noStandbyBecause = (): Promise<null> => Promise.resolve(null);
export const foreign = (): Promise<string[]> => Promise.resolve([]);
export const leftBehind = (): Promise<string[]> => Promise.resolve([]);
export const objects = (): Promise<null> => Promise.resolve(null);

export async function facts(at: InspectContext, database: string): Promise<DatabaseFacts> {
  const { exists, lineage } = liveState(at.site, at.state, database);
  const statuses = exists ? migrationStatuses(at, database) : [];
  return Promise.resolve({
    exists,
    lineage,
    ...ledgerFacts(statuses),
  });
}

export async function lineage({ site, state }: InspectContext, database: string): Promise<Lineage> {
  return Promise.resolve(liveState(site, state, database).lineage);
}

/** None where the file is closed by another run, bears no name in the middle of a swap, or is damaged: damage is a reason to go back, not an obstacle. */
function migrationStatuses({ site, definition }: InspectContext, database: string): MigrationState[] {
  const live = livePath(site, database);
  if (!existsSync(live)) return [];
  try {
    return withFile(live, { readOnly: true, timeoutMs: 1_000 }, (db) =>
      appliedMigrations(db, ledgerOf(definition, database), migrationsOf(definition, database)),
    );
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
