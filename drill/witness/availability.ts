/** How long the system was away, by the witness's own clock: from one acknowledged write to the next. */
import type { Pause } from "./fit.ts";
import type { Answer, Memory } from "./memory.ts";

/** Pauses shorter than this are the ordinary rhythm of writing. */
const GAP_MS = 200;

export interface Gap {
  /** Wall clock of the last acknowledged write before, ISO 8601. */
  lastAckBefore: string;
  /** Wall clock of the first acknowledged write after, ISO 8601; null: none came. */
  firstAckAfter: string | null;
  milliseconds: number;
  /** Answers in between: a gap without any was a slow answer or a slow witness rather than a closed system. */
  refused503: number;
  failed: number;
}

export interface Unavailability {
  /** The longest time without an acknowledged write within the period asked for, milliseconds. */
  writesMs: number;
  lastAckBefore: string | null;
  firstAckAfter: string | null;
  /** The same over the whole journal, milliseconds. */
  longestGapMs: number;
  /** Every gap over 200 ms, in order. */
  gaps: Gap[];
  /** `longestMs`: the longest time between two good reads with a bad one in between, milliseconds. */
  reads: { ok: number; failed: number; longestMs: number };
}

/** Wall-clock milliseconds; an open end has no limit. */
export interface Period {
  from?: number;
  to?: number;
}

interface Interval {
  from: Answer;
  to: Answer | null;
  milliseconds: number;
}

const iso = (wall: number): string => new Date(wall).toISOString();

/** Times between acknowledged writes, without those in which the witness itself was away. The last one is open. */
function intervals(memory: Memory): Interval[] {
  const acks = memory.answers.filter((answer) => answer.kind === "ok");
  const found: Interval[] = [];
  for (const [index, from] of acks.entries()) {
    const to = acks[index + 1] ?? null;
    const end = to?.mono ?? memory.last?.mono ?? from.mono;
    if (memory.absences.some((absence) => absence.from < end && absence.to > from.mono)) continue;
    found.push({ from, to, milliseconds: end - from.mono });
  }
  return found;
}

function longest(all: readonly Interval[]): Interval | undefined {
  return all.reduce<Interval | undefined>(
    (best, interval) => (best === undefined || interval.milliseconds > best.milliseconds ? interval : best),
    undefined,
  );
}

function gapOf(memory: Memory, { from, to, milliseconds }: Interval): Gap {
  const inside = memory.answers.filter((answer) => answer.mono > from.mono && (to === null || answer.mono < to.mono));
  return {
    lastAckBefore: iso(from.wall),
    firstAckAfter: to === null ? null : iso(to.wall),
    milliseconds: Math.round(milliseconds),
    refused503: inside.filter((answer) => answer.kind === "refused503").length,
    failed: inside.filter((answer) => answer.kind === "failed").length,
  };
}

function readAvailability(memory: Memory): Unavailability["reads"] {
  let lastGood: number | null = null;
  let badSince = false;
  let longestMs = 0;
  for (const read of memory.reads) {
    if (!read.ok) {
      badSince = true;
      continue;
    }
    if (badSince && lastGood !== null) longestMs = Math.max(longestMs, read.mono - lastGood);
    lastGood = read.mono;
    badSince = false;
  }
  if (badSince && lastGood !== null && memory.last !== null) longestMs = Math.max(longestMs, memory.last.mono - lastGood);
  const ok = memory.reads.filter((read) => read.ok).length;
  return { ok, failed: memory.reads.length - ok, longestMs: Math.round(longestMs) };
}

export function unavailability(memory: Memory, period: Period = {}): Unavailability {
  const all = intervals(memory);
  const within = all.filter(({ from, to }) => from.wall <= (period.to ?? Infinity) && (to?.wall ?? Infinity) >= (period.from ?? -Infinity));
  const worst = longest(within);
  return {
    writesMs: Math.round(worst?.milliseconds ?? 0),
    lastAckBefore: worst === undefined ? null : iso(worst.from.wall),
    firstAckAfter: worst?.to ? iso(worst.to.wall) : null,
    longestGapMs: Math.round(longest(all)?.milliseconds ?? 0),
    gaps: all.filter((interval) => interval.milliseconds > GAP_MS).map((interval) => gapOf(memory, interval)),
    reads: readAvailability(memory),
  };
}

/**
 * Times between acknowledged writes in which a restore may have happened: first those in which something else was answered, then the longest;
 * always the last one. In order.
 */
export function likelyOutages(memory: Memory, most: number): Pause[] {
  const pauses: (Pause & { troubled: boolean })[] = [];
  for (const { kind, mono } of memory.answers) {
    const open = pauses.at(-1);
    if (open !== undefined) open.to = mono;
    if (kind === "ok") pauses.push({ from: mono, to: memory.last?.mono ?? mono, troubled: false });
    else if (open !== undefined) open.troubled = true;
  }
  const last = pauses.pop();
  const likely = pauses.sort((a, b) => Number(b.troubled) - Number(a.troubled) || b.to - b.from - (a.to - a.from)).slice(0, most);
  return [...likely, ...(last === undefined ? [] : [last])].sort((a, b) => a.from - b.from).map(({ from, to }) => ({ from, to }));
}
