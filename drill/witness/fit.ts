/**
 * Which part of the witness's history a database holds, found from the content alone.
 *
 * A database that was in service from the beginning until the instant T shows, for every row, the last version acknowledged before T (or a later
 * one that was already asked for). A database that was restored and then served shows an early part (up to `base`) and a late part
 * (from `from` until `to`): what was written in between belongs to the database that was taken out of service.
 * Which of the possible histories it was is decided for all databases together, see explain.ts.
 */
import type { Version } from "./memory.ts";

/** All instants in monotonic milliseconds. Never restored: `from` and `to` equal `base`. */
export interface Fit {
  base: number;
  from: number;
  to: number;
}

/** Rows by id; a row that is not there is absent. */
export type Content = ReadonlyMap<string, string>;
export type Rows = ReadonlyMap<string, readonly Version[]>;

/** An outage between two acknowledged writes. */
export interface Pause {
  from: number;
  to: number;
}

export const isRestored = (fit: Fit): boolean => fit.from < fit.to;

/** Content after the first `count` versions; null: absent. */
export function stateAfter(versions: readonly Version[], count: number): string | null {
  return versions[count - 1]?.value ?? null;
}

/** How many versions a database of this fit may show of a row, and whether the row was certainly written after the restore. */
export function allowedCounts(versions: readonly Version[], fit: Fit): Set<number> {
  const allowed = new Set<number>();
  const certainly = isRestored(fit)
    ? versions.findLastIndex((version) => version.ackAt !== null && version.intentAt > fit.from && version.ackAt <= fit.to) + 1
    : 0;
  if (certainly > 0) allowed.add(certainly);
  else {
    const early = isRestored(fit) ? versions.filter((version) => version.intentAt <= fit.from) : versions;
    const least = early.findLastIndex((version) => version.ackAt !== null && version.ackAt <= fit.base) + 1;
    for (let count = least; count <= early.length; count += 1)
      if (count === least || (early[count - 1]?.intentAt ?? 0) <= fit.base) allowed.add(count);
  }
  versions.forEach((version, index) => {
    // Never answered: it may be there or not, and may have come late. Answered across the restore: it may be on either side.
    const across =
      isRestored(fit) && version.ackAt !== null && [fit.from, fit.to].some((cut) => version.intentAt <= cut && (version.ackAt ?? 0) > cut);
    if (index + 1 > certainly && (version.ackAt === null || across)) allowed.add(index + 1);
  });
  return allowed;
}

/** The number of versions shown, of those allowed the latest; null where the content contradicts the fit. */
export function shownCount(versions: readonly Version[], found: string | null, fit: Fit): number | null {
  const matching = [...allowedCounts(versions, fit)].filter((count) => stateAfter(versions, count) === found);
  return matching.length === 0 ? null : Math.max(...matching);
}

/** How many versions a database of this fit owes a row; writes in doubt are not owed. */
export function expectedCount(versions: readonly Version[], fit: Fit): number {
  return Math.min(...[...allowedCounts(versions, fit)].filter((count) => count === 0 || versions[count - 1]?.ackAt !== null));
}

interface Span {
  start: number;
  end: number;
}

/** Instants T at which the content is what a database in service until T would show. Half open. */
function spansOf(versions: readonly Version[], found: string | null): Span[] {
  const spans: Span[] = [];
  for (let count = 0; count <= versions.length; count += 1) {
    if (stateAfter(versions, count) !== found) continue;
    const version = versions[count - 1];
    if (version !== undefined && version.ackAt === null) return [{ start: -Infinity, end: Infinity }];
    const next = versions.slice(count).find((later) => later.ackAt !== null);
    spans.push({ start: version?.intentAt ?? -Infinity, end: next?.ackAt ?? Infinity });
  }
  return merge(spans);
}

function merge(spans: Span[]): Span[] {
  const merged: Span[] = [];
  for (const span of spans.sort((a, b) => a.start - b.start)) {
    const last = merged.at(-1);
    if (last !== undefined && span.start <= last.end) last.end = Math.max(last.end, span.end);
    else merged.push({ ...span });
  }
  return merged;
}

/**
 * The latest instant that contradicts the fewest rows. Never before a write that the database shows: rows can be missing from a database,
 * but it cannot hold what was written after it left service.
 */
function latestInstant(
  rows: Iterable<readonly [readonly Version[], string | null]>,
  until: number,
): { base: number; contradictions: number } {
  const changes = new Map<number, number>([
    [-Infinity, 0],
    [Infinity, 0],
  ]);
  const change = (at: number, by: number): void => void changes.set(at, (changes.get(at) ?? 0) + by);
  let least = -Infinity;
  let count = 0;
  for (const [versions, found] of rows) {
    count += 1;
    const spans = spansOf(versions, found).filter((span) => span.start <= until);
    least = Math.max(least, spans[0]?.start ?? -Infinity);
    for (const { start, end } of spans) {
      change(start, 1);
      change(end, -1);
    }
  }
  const instants = [...changes.keys()].sort((a, b) => a - b);
  let best = { agreeing: 0, base: until };
  let agreeing = 0;
  for (const [index, at] of instants.entries()) {
    const next = instants[index + 1];
    agreeing += changes.get(at) ?? 0;
    if (next === undefined || at > until || next <= least) continue;
    if (agreeing >= best.agreeing) best = { agreeing, base: justBefore(Math.min(next, until), Math.max(at, least)) };
  }
  return { base: best.base, contradictions: count - best.agreeing };
}

/** Milliseconds; far less than any two records are apart. */
const MOMENT = 1e-6;

/** The last instant before `end`: the later, the more of the time without writes is covered. */
function justBefore(end: number, start: number): number {
  return Math.max(start, end - MOMENT);
}

function pairs(rows: Rows, content: Content): [readonly Version[], string | null][] {
  return [...rows].map(([id, versions]) => [versions, content.get(id) ?? null]);
}

/** A possible history of one database, and how many rows contradict it. */
export interface Candidate {
  fit: Fit;
  contradictions: number;
}

function restoredFit(all: [readonly Version[], string | null][], from: number, to: number): Candidate {
  const window: Fit = { base: -Infinity, from, to };
  const untouched: [readonly Version[], string | null][] = [];
  let contradictions = 0;
  for (const [versions, found] of all) {
    const written = versions.some((version) => version.ackAt !== null && version.intentAt > from && version.ackAt <= to);
    if (written) contradictions += shownCount(versions, found, window) === null ? 1 : 0;
    else if (!excused(versions, found, from, to)) untouched.push([versions.filter((version) => version.intentAt <= from), found]);
  }
  const early = latestInstant(untouched, from);
  return { fit: { base: early.base, from, to }, contradictions: contradictions + early.contradictions };
}

// In doubt, or answered across a cut: allowed whatever the base is, so it must not pull the base.
function excused(versions: readonly Version[], found: string | null, from: number, to: number): boolean {
  return versions.some(
    (version) =>
      version.value === found &&
      (version.ackAt === null || [from, to].some((cut) => version.intentAt <= cut && (version.ackAt ?? 0) > cut)),
  );
}

/** The history without a restore. The database in service when the witness stopped has no end. */
export function neverRestored(rows: Rows, content: Content, inService: boolean): Candidate {
  const all = pairs(rows, content);
  const endless: Fit = { base: Infinity, from: Infinity, to: Infinity };
  if (inService)
    return { fit: endless, contradictions: all.filter(([versions, found]) => shownCount(versions, found, endless) === null).length };
  const { base, contradictions } = latestInstant(all, Infinity);
  return { fit: { base, from: base, to: base }, contradictions };
}

/** Every history with one restore, in one of the pauses. */
export function onceRestored(rows: Rows, content: Content, inService: boolean, pauses: readonly Pause[]): Candidate[] {
  const all = pairs(rows, content);
  const ends = inService ? [Infinity] : pauses.map((pause) => pause.from);
  return pauses.flatMap(({ from }) => ends.filter((to) => to > from).map((to) => restoredFit(all, from, to)));
}
