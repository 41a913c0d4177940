/**
 * Which changes a restore took out of the live database, and whether an export holds each of them: pure, from journal, contents and exports.
 *
 * The journal alone knows a change only to within one request: a write under way when the snapshot was taken, or when the gate closed, may
 * have been done on either side, and is often acknowledged late. Acknowledgements then come after the first refusal, so that several of the last ones
 * may be taken for the end of service. Where the journal leaves a choice, the databases decide: the restored one shows what the snapshot held,
 * the one taken out of service what it left with. What they leave open, too, is not held against the export.
 */
import type { Source } from "./accounts.ts";
import type { Exported } from "./content.ts";
import { allowedCounts, isRestored, stateAfter } from "./fit.ts";
import type { Memory, Version } from "./memory.ts";
import type { Operation } from "./script.ts";

export interface ExportVerdict {
  /** Rows that certainly changed between snapshot and restore. */
  expected: number;
  found: number;
  missing: Change[];
}

interface Change {
  id: string;
  op: Operation;
  /** null: deleted. */
  value: string | null;
}

export function missingFromExports(memory: Memory, sources: readonly Source[], exported: ReadonlyMap<string, Exported[]>): ExportVerdict {
  const result: ExportVerdict = { expected: 0, found: 0, missing: [] };
  const live = sources.find(({ place }) => place === "live");
  if (live === undefined || !isRestored(live.fit)) return result;
  const { from } = live.fit;
  const retired = sources.filter((source) => servedUntil(source) >= from);
  const reopened = reopenedBefore(memory, live);
  const snapshot = snapshotBetween(memory, live, reopened);
  for (const [id, versions] of memory.rows) {
    // A write in doubt may or may not be part of the change.
    if (versions.some((version) => version.ackAt === null && version.intentAt <= from)) continue;
    const changes = possibleChanges(
      id,
      versions,
      countsBefore(id, versions, live, snapshot),
      countsAfter(id, versions, live, retired, reopened),
    );
    const [likeliest] = changes;
    if (likeliest === undefined) continue;
    result.expected += 1;
    const held = exported.get(id) ?? [];
    if (held.some((change) => changes.some(({ op, value }) => op === change.op && value === change.value))) result.found += 1;
    else result.missing.push(likeliest);
  }
  return result;
}

/** The end of a quarantine's service. An emptied one tells nothing. */
function servedUntil({ place, content, fit }: Source): number {
  if (place !== "quarantine" || content.size === 0) return -Infinity;
  return isRestored(fit) ? fit.to : fit.base;
}

/** The earliest acknowledgement of a write that only the restored database in service can have done; no later write belongs to the one before. */
function reopenedBefore(memory: Memory, live: Source): number {
  let earliest = Infinity;
  for (const [id, versions] of memory.rows) {
    const found = live.content.get(id);
    const shown = versions.find(({ value, intentAt, ackAt }) => value === found && ackAt !== null && intentAt > live.fit.from);
    if (found !== undefined) earliest = Math.min(earliest, shown?.ackAt ?? Infinity);
  }
  return earliest;
}

/**
 * The snapshot is no older than the latest write that only it can have brought into the restored database, and no newer than the first one that is
 * not there. The fit's own instant is the latest possible one, but never after the end of service, which may have been taken too early.
 */
function snapshotBetween(memory: Memory, live: Source, reopened: number): { oldest: number; newest: number } {
  const { base, from } = live.fit;
  let [oldest, newest] = [-Infinity, reopened];
  for (const [id, versions] of memory.rows) {
    const found = live.content.get(id) ?? null;
    const shown = versions.find(({ value, ackAt }) => value === found && ackAt !== null && ackAt <= base);
    if (found !== null) oldest = Math.max(oldest, shown?.intentAt ?? -Infinity);
    const certain = versions.every(({ value, ackAt }) => ackAt !== null && ackAt <= from && value !== null);
    const next = versions[versions.findIndex(({ value }) => value === found) + 1];
    if (certain) newest = Math.min(newest, next?.ackAt ?? Infinity);
  }
  return { oldest: Math.min(oldest, base), newest: Math.max(newest, base) };
}

/** How many versions the snapshot may have held. */
function countsBefore(
  id: string,
  versions: readonly Version[],
  live: Source,
  { oldest, newest }: { oldest: number; newest: number },
): number[] {
  const { base, from } = live.fit;
  const since = versions.filter(({ ackAt }) => ackAt === null || ackAt > from);
  if (since.length === 0)
    return narrowed(
      id,
      versions,
      possibleCounts(versions, base, ({ intentAt }) => intentAt <= base),
      [live],
    );
  // Written since the restore, or perhaps so. What was acknowledged before and is still to be seen came with the snapshot.
  const found = live.content.get(id) ?? null;
  const shown = versions.findIndex((version) => found !== null && version.value === found && !since.includes(version));
  if (shown >= 0) return [shown + 1];
  const counts = possibleCounts(versions, oldest, ({ intentAt }) => intentAt <= newest);
  return found === null && since.every(({ value }) => value !== null) ? narrowed(id, versions, counts, [live]) : counts;
}

/** How many versions the database taken out of service may have held. */
function countsAfter(id: string, versions: readonly Version[], live: Source, retired: readonly Source[], reopened: number): number[] {
  const { base, from } = live.fit;
  const doneSince = ({ value, intentAt }: Version): boolean => value !== null && live.content.get(id) === value && intentAt > base;
  const counts = possibleCounts(versions, from, (version) => version.intentAt < reopened && !doneSince(version));
  return narrowed(id, versions, counts, retired);
}

/** What was acknowledged by this instant, and as many of the later writes as `may` have been done. */
function possibleCounts(versions: readonly Version[], instant: number, may: (version: Version) => boolean): number[] {
  const least = versions.findLastIndex(({ ackAt }) => ackAt !== null && ackAt <= instant) + 1;
  return [least, ...versions.flatMap((version, index) => (index >= least && may(version) ? [index + 1] : []))];
}

/** The counts that the databases show, as far as their own histories allow them; all where none shows any. */
function narrowed(id: string, versions: readonly Version[], counts: readonly number[], shownBy: readonly Source[]): number[] {
  const shown = shownBy.flatMap(({ content, fit, place }) => {
    const found = content.get(id) ?? null;
    // A row may never have come into a quarantine that was itself restored: that it is not there does not say that it was deleted there.
    if (found === null && place === "quarantine" && isRestored(fit)) return [];
    const allowed = allowedCounts(versions, fit);
    return counts.filter((count) => allowed.has(count) && stateAfter(versions, count) === found);
  });
  return shown.length > 0 ? shown : [...counts];
}

/** Every change that these counts allow, the likeliest first; none where the row may be unchanged. */
function possibleChanges(id: string, versions: readonly Version[], before: readonly number[], after: readonly number[]): Change[] {
  const changes: Change[] = [];
  for (const late of after)
    for (const early of before.filter((count) => count <= late)) {
      const [from, value] = [stateAfter(versions, early), stateAfter(versions, late)];
      if (from === value) return [];
      changes.push({ id, op: value === null ? "delete" : from === null ? "insert" : "update", value });
    }
  return changes;
}
