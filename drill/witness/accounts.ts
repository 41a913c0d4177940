/** Where each acknowledged write is: pure, from journal, contents and exports. */
import { expectedCount, isRestored, shownCount, stateAfter, type Content, type Fit } from "./fit.ts";
import type { Exported } from "./content.ts";
import type { Version } from "./memory.ts";
import type { Operation } from "./script.ts";

export type Place = "live" | "quarantine" | "export";

/** A database with its explanation. */
export interface Source {
  name: string;
  place: "live" | "quarantine";
  content: Content;
  fit: Fit;
}

/** `at`: when the write was acknowledged, ISO 8601. */
export interface Lost {
  id: string;
  op: Operation;
  value: string | null;
  at: string;
}

export interface Wrong {
  id: string;
  database: string;
  /** null: no row. */
  expected: string | null;
  found: string | null;
  why: string;
}

export interface Resurrected {
  id: string;
  database: string;
  value: string | null;
  /** When its deletion was acknowledged, ISO 8601. */
  deletedAt: string;
}

export interface RowVerdict {
  /** For each version: the first place that holds it, null where none does. Meaningless for versions in doubt. */
  places: (Place | null)[];
  lost: Lost[];
  wrong: Wrong[];
  resurrected: Resurrected[];
}

const at = (version: Version | undefined): string => new Date(version?.wall ?? 0).toISOString();

/** Which versions `count` shown ones stand for: those before it on the same database's history. */
function standsFor(versions: readonly Version[], count: number, fit: Fit): boolean[] {
  const late = isRestored(fit) && (versions[count - 1]?.intentAt ?? -Infinity) > fit.from;
  return versions.map((version, index) => {
    if (index >= count) return false;
    return !late || version.intentAt > fit.from || (version.ackAt !== null && version.ackAt <= fit.base);
  });
}

/** The version with this content, counted from 1; 0: no row and never written; null: content nobody wrote. */
function countOf(versions: readonly Version[], found: string | null): number | null {
  const index = versions.findLastIndex((version) => version.value === found);
  if (index >= 0) return found === null ? 0 : index + 1;
  return found === null ? 0 : null;
}

export function judgeRow(id: string, versions: readonly Version[], sources: readonly Source[], exported: readonly Exported[]): RowVerdict {
  const verdict: RowVerdict = { places: versions.map(() => null), lost: [], wrong: [], resurrected: [] };
  const claim = (place: Place, held: readonly boolean[]): void =>
    held.forEach((holds, index) => holds && (verdict.places[index] ??= place));
  const contradictions: { source: Source; found: string | null; count: number | null }[] = [];
  for (const source of sources) {
    const found = source.content.get(id) ?? null;
    const shown = shownCount(versions, found, source.fit);
    const count = shown ?? countOf(versions, found);
    if (shown === null) contradictions.push({ source, found, count });
    if (count !== null) claim(source.place, standsFor(versions, count, source.fit));
  }
  for (const change of exported) {
    const index = versions.findLastIndex((version) => version.value === change.value);
    claim(
      "export",
      versions.map((_, other) => other <= index),
    );
  }
  const live = sources.find((source) => source.place === "live");
  const last = versions.findLastIndex((version) => version.ackAt !== null);
  // A deletion needs no place of its own: that the row is gone is all it promised.
  if (versions[last]?.value === null && live !== undefined && !live.content.has(id))
    claim(
      "live",
      versions.map((_, index) => index <= last),
    );

  for (const contradiction of contradictions) judgeContradiction(verdict, id, versions, contradiction);
  if (contradictions.length === 0) judgeUnplaced(verdict, id, versions, live);
  return verdict;
}

function judgeContradiction(
  verdict: RowVerdict,
  id: string,
  versions: readonly Version[],
  { source, found, count }: { source: Source; found: string | null; count: number | null },
): void {
  const owed = expectedCount(versions, source.fit);
  const expected = stateAfter(versions, owed);
  const version = versions[owed - 1];
  const wrong = (why: string): void => void verdict.wrong.push({ id, database: source.name, expected, found, why });
  if (count === null) wrong("content that the witness never wrote");
  else if (expected === null && owed > 0) verdict.resurrected.push({ id, database: source.name, value: found, deletedAt: at(version) });
  else if (count > owed) wrong("content from after the time this database was in service");
  else if (verdict.places[owed - 1] !== null) wrong("an older state, although the write exists elsewhere");
  // A write that two databases should hold is lost once.
  else if (version !== undefined && !verdict.lost.some(({ value }) => value === version.value))
    verdict.lost.push({ id, op: version.op, value: version.value, at: at(version) });
}

/** Writes of a time that no database covers, and no export either. One finding a row: its last such write. */
function judgeUnplaced(verdict: RowVerdict, id: string, versions: readonly Version[], live: Source | undefined): void {
  const index = versions.findLastIndex((version, other) => version.ackAt !== null && verdict.places[other] === null);
  const version = versions[index];
  if (version === undefined) return;
  if (version.value === null)
    verdict.resurrected.push({ id, database: live?.name ?? "", value: live?.content.get(id) ?? null, deletedAt: at(version) });
  else verdict.lost.push({ id, op: version.op, value: version.value, at: at(version) });
}
