/**
 * What is kept of a watch: JSON Lines in `<home>/watches/<epoch>-<watch>.<attempt>.jsonl`, each line written when it happened, so that a watch
 * that was killed resumes.
 */
import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Site } from "../../config/site.ts";
import type { Poll } from "./watch-rule.ts";

export interface WatchBegin {
  watch: string;
  title: string;
  /** Of the rollout it follows. */
  epoch: number;
  runId: string;
  /** Wall time, ISO 8601. */
  at: string;
  /** Of its clock: above 1 it is a rehearsal and proves nothing else. */
  speed: number;
  polls: number;
  intervalSeconds: number;
}

/** Time in which nobody looked. By the watch's clock, ISO 8601. */
export interface WatchGap {
  from: string;
  to: string;
  seconds: number;
}

export interface WatchEnd {
  at: string;
  state: "passed" | "failed";
  reasons: string[];
}

export interface WatchRecord {
  file: string;
  attempt: number;
  begin: WatchBegin;
  polls: Poll[];
  gaps: WatchGap[];
  /** Null: it goes on. */
  end: WatchEnd | null;
}

type Line = ({ type: "begin" } & WatchBegin) | ({ type: "poll" } & Poll) | ({ type: "gap" } & WatchGap) | ({ type: "end" } & WatchEnd);

export function watchesFolder(site: Pick<Site, "home">): string {
  return join(site.home, "watches");
}

export function beginWatch(site: Pick<Site, "home">, begin: WatchBegin): WatchRecord {
  const folder = watchesFolder(site);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const attempt = (recordsOf(site, begin.epoch, begin.watch).at(-1)?.attempt ?? 0) + 1;
  const file = join(folder, `${begin.epoch}-${begin.watch}.${attempt}.jsonl`);
  append(file, { type: "begin", ...begin });
  return { file, attempt, begin, polls: [], gaps: [], end: null };
}

export function addPoll(record: WatchRecord, poll: Poll): WatchRecord {
  append(record.file, { type: "poll", ...poll });
  return { ...record, polls: [...record.polls, poll] };
}

export function addGap(record: WatchRecord, gap: WatchGap): WatchRecord {
  append(record.file, { type: "gap", ...gap });
  return { ...record, gaps: [...record.gaps, gap] };
}

export function endWatch(record: WatchRecord, end: WatchEnd): WatchRecord {
  append(record.file, { type: "end", ...end });
  return { ...record, end };
}

/** A line that a kill cut off is ended first, so that the next one stays whole. */
function append(file: string, line: Line): void {
  const torn = existsSync(file) && !readFileSync(file, "utf8").endsWith("\n");
  appendFileSync(file, `${torn ? "\n" : ""}${JSON.stringify(line)}\n`, { mode: 0o600 });
}

/** Every attempt at a watch after one rollout, oldest first. */
export function recordsOf(site: Pick<Site, "home">, epoch: number, watch: string): WatchRecord[] {
  const folder = watchesFolder(site);
  if (!existsSync(folder)) return [];
  const prefix = `${epoch}-${watch}.`;
  return readdirSync(folder)
    .filter((name) => name.startsWith(prefix) && /^\d+\.jsonl$/.test(name.slice(prefix.length)))
    .map((name) => ({ name, attempt: Number.parseInt(name.slice(prefix.length), 10) }))
    .sort((a, b) => a.attempt - b.attempt)
    .flatMap(({ name, attempt }) => readRecord(join(folder, name), attempt) ?? []);
}

function readRecord(file: string, attempt: number): WatchRecord | null {
  let record: WatchRecord | null = null;
  for (const text of readFileSync(file, "utf8").split("\n")) {
    const line = parsed(text);
    if (line === null) continue;
    const { type, ...rest } = line;
    if (type === "begin") record = { file, attempt, begin: rest as WatchBegin, polls: [], gaps: [], end: null };
    else if (record === null) return null;
    else if (type === "poll") record.polls.push(rest as Poll);
    else if (type === "gap") record.gaps.push(rest as WatchGap);
    else record.end = rest as WatchEnd;
  }
  return record;
}

function parsed(text: string): Line | null {
  try {
    return JSON.parse(text) as Line;
  } catch {
    return null;
  }
}
