/** The stack's audit log: one line for every rollout, watch, action and preflight, chained, with its end kept in the state. */
import { join } from "node:path";
import { openState } from "../databases/open-state.ts";
import type { StateStore } from "../config/record.ts";
import type { Site } from "../config/site.ts";
import { fileLock } from "../processes/file-lock.ts";
import { appendToAuditLog, chainHead, chainProblems, type ChainHead, type AuditLogEntry } from "../state/audit-log.ts";
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

export interface AuditLogPlace {
  site: Pick<Site, "home">;
  /** Null: it cannot be asked, and where the log ends is not known. */
  state: StateStore | null;
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
    await append(file, place, entry);
  } finally {
    lock?.release();
  }
}

async function append(file: string, { state, warn }: AuditLogPlace, entry: AuditLogEntry): Promise<void> {
  const broken = chainProblems(file, state === null ? null : await auditLogHead(state));
  if (broken.length > 0) warn(`the audit log ${file} is not as it was written: ${broken.join("; ")}`);
  appendToAuditLog(file, broken.length === 0 ? entry : { ...entry, broken });
  await state?.keep(HEAD_KEY, chainHead(file));
}

/** The same for callers without an open state. The entry is also written where the state does not answer. */
export async function recordOutsideRun(
  { site, definition, warn }: { site: Site; definition: SystemDefinition; warn: (message: string) => void },
  entry: AuditLogEntry,
): Promise<void> {
  const state = await openState(site, definition).catch(() => null);
  await recordInAuditLog({ site, state, warn }, entry).finally(() => state?.end());
}
