/**
 * The stack's audit log: one line for every rollout, watch, action and preflight, chained. The state keeps its end, and each line with the home in which
 * it was written, so every machine has the whole log.
 */
import { rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { openState } from "../databases/open-state.ts";
import type { StateStore } from "../config/record.ts";
import type { Site } from "../config/site.ts";
import { fileLock } from "../processes/file-lock.ts";
import { identityAt } from "../state/identity.ts";
import {
  addLines,
  appendToAuditLog,
  chainHead,
  chainProblems,
  entriesOf,
  linesFrom,
  type ChainHead,
  type AuditLogEntry,
} from "../state/audit-log.ts";
import type { SystemDefinition } from "../config/system/definition.ts";
import type { Run } from "../config/run.ts";

const HEAD_KEY = "governance-head";

export function auditLogFile(site: Pick<Site, "home">): string {
  return join(site.home, "records", "governance.jsonl");
}

/** How far the log went when it was last written to; null where it never was. */
export function auditLogHead(state: StateStore): Promise<ChainHead | null> {
  return state.kept<ChainHead>(HEAD_KEY);
}

interface KeptLine {
  line: string;
  /** Where it was written; null: in a checkout that has updated nothing. */
  home: string | null;
}

const LINE_KEY = "governance-line ";

/** Of this home alone: one that was removed and made again is another. Null: it has updated nothing; of it nobody can say that a line was removed. */
function homeId(site: Pick<Site, "home">): string | null {
  const known = identityAt(site.home);
  return known === null ? null : `${known.host}:${known.home}:${known.since}`;
}

/**
 * Adds what other machines have written since. A line that was written here and is missing stays missing: somebody removed it.
 * @returns false: the state lacks lines of before, which only another home has
 */
export async function completeAuditLog(site: Pick<Site, "home">, state: StateStore): Promise<boolean> {
  const file = auditLogFile(site);
  const here = homeId(site);
  const known = chainHead(file).lines;
  const written = (await auditLogHead(state))?.lines ?? 0;
  if (known >= written) return true;
  const lines: string[] = [];
  const all = await state.keptNumbered<KeptLine>(LINE_KEY);
  for (let next = known + 1; next <= written; next++) {
    const kept = all.get(next);
    // A home with lines of its own has removed what is missing.
    if (kept === undefined) return known > 0;
    if (here !== null && kept.home === here) return true;
    lines.push(kept.line);
  }
  if (lines.length > 0) addLines(file, lines);
  return true;
}

/** The same, while nobody else writes to the file. */
export async function completeAlone(site: Pick<Site, "home">, state: StateStore): Promise<void> {
  const lock = await fileLock(`${auditLogFile(site)}.lock`, WAIT_MS, 5);
  await completeAuditLog(site, state).finally(() => lock?.release());
}

/** Rollouts that ended on another machine: their exports and evidence are there. */
export async function endedElsewhere(site: Pick<Site, "home">, state: StateStore): Promise<Set<number>> {
  const here = homeId(site);
  const kept = [...(await state.keptNumbered<KeptLine>(LINE_KEY)).values()];
  return new Set(kept.filter(({ home }) => home !== here).map(({ line }) => (JSON.parse(line) as { epoch: number }).epoch));
}

export interface AuditLogPlace {
  site: Pick<Site, "home">;
  /** Null: it cannot be asked, and where the log ends is not known. */
  state: StateStore | null;
  /** The state does not answer, and other machines write to the log, too: nobody knows what its next line is. */
  shared?: boolean;
  /** Receives what is wrong with the log. */
  warn: (message: string) => void;
}

/** The log of a run. */
export function auditLogOf({ site, state, log }: Pick<Run, "site" | "state" | "log">): AuditLogPlace {
  return { site, state, warn: (message) => log("warning", message) };
}

/** Writing an entry takes milliseconds. A log that is held for longer is not waited for. */
const WAIT_MS = 30_000;

/**
 * Appends an entry, after a look at what the log held when it was last written to. A log that was tampered with does not block a rollback: it is
 * reported, and the entry records it. One process at a time: two that read the same end would both be chained to it.
 */
export async function recordInAuditLog(place: AuditLogPlace, entry: AuditLogEntry): Promise<void> {
  const file = auditLogFile(place.site);
  const lock = await fileLock(`${file}.lock`, WAIT_MS, 5);
  if (lock === null)
    place.warn(`another process has held the audit log ${file} for ${WAIT_MS / 1000} s: the entry is written nevertheless`);
  try {
    await append(place, entry);
  } finally {
    lock?.release();
  }
}

async function append({ site, state, shared = false, warn }: AuditLogPlace, entry: AuditLogEntry): Promise<void> {
  const file = auditLogFile(site);
  const waiting = join(dirname(file), "governance-waiting.jsonl");
  const why =
    state === null
      ? shared && "the state does not answer"
      : !(await completeAuditLog(site, state)) &&
        "the machine that has the audit log has not written it into the state yet, as its next rollout does";
  if (why !== false) {
    warn(`${why}: this entry waits in ${waiting} and joins the audit log before the next one`);
    appendToAuditLog(waiting, entry);
    return;
  }
  const before = state === null ? null : await auditLogHead(state);
  const broken = chainProblems(file, before);
  if (broken.length > 0) warn(`the audit log ${file} is not as it was written: ${broken.join("; ")}`);
  const joined = new Date().toISOString();
  for (const late of state === null ? [] : entriesOf(waiting)) appendToAuditLog(file, { ...late, joined });
  appendToAuditLog(file, broken.length === 0 ? entry : { ...entry, broken });
  if (state === null) return;
  // Of a log from before the state had lines, all of it, once.
  const whole = broken.length === 0 && (await state.kept(`${LINE_KEY}1`)) === null;
  const first = whole ? 1 : (before?.lines ?? 0) + 1;
  for (const [index, line] of linesFrom(file, first).entries())
    await state.keep(`${LINE_KEY}${first + index}`, { line, home: homeId(site) });
  await state.keep(HEAD_KEY, chainHead(file));
  rmSync(waiting, { force: true });
}

/** The same for callers without an open state. The entry is also written where the state does not answer. */
export async function recordOutsideRun(
  { site, definition, warn }: { site: Site; definition: SystemDefinition; warn: (message: string) => void },
  entry: AuditLogEntry,
): Promise<void> {
  let answers = true;
  const state = await openState(site, definition).catch(() => {
    answers = false;
    return null;
  });
  const shared = !answers && site.server?.embedded === false;
  await recordInAuditLog({ site, state, shared, warn }, entry).finally(() => state?.end());
}
