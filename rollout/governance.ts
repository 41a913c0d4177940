/** The stack's governance log: one line for every rollout, watch, action and list before a deployment, chained, with its end kept in the control record. */
import { join } from "node:path";
import { openControl } from "../databases/open-state.ts";
import type { ControlRecord } from "../config/record.ts";
import type { Site } from "../config/site.ts";
import { fileLock } from "../processes/file-lock.ts";
import { appendGovernance, chainHead, chainProblems, type ChainHead, type GovernanceEntry } from "../state/governance.ts";
import type { SystemDefinition } from "../config/system/definition.ts";
import type { Run } from "../config/run.ts";

const HEAD_KEY = "governance-head";

export function governanceFile(site: Pick<Site, "home">): string {
  return join(site.home, "records", "governance.jsonl");
}

/** How far the log went when it was last written to; null where it never was. */
export function governanceHead(control: ControlRecord): Promise<ChainHead | null> {
  return control.kept<ChainHead>(HEAD_KEY);
}

export interface GovernancePlace {
  site: Pick<Site, "home">;
  /** Null: it cannot be asked, and where the log ends is not known. */
  control: ControlRecord | null;
  /** Told what is wrong with the log. */
  warn: (message: string) => void;
}

/** The log of a run. */
export function governanceOf({ site, control, log }: Pick<Run, "site" | "control" | "log">): GovernancePlace {
  return { site, control, warn: (message) => log("warning", message) };
}

/** Writing an entry takes milliseconds: whoever holds the log for longer is not waited for. */
const WAIT_MS = 30_000;

/**
 * Appends an entry, after a look at what the log held when it was last written to. A log that was tampered with keeps nobody from going back: it is
 * told, and the entry itself says so, for good. One process at a time: two that read the same end would both be chained to it.
 */
export async function recordGovernance(place: GovernancePlace, entry: GovernanceEntry): Promise<void> {
  const file = governanceFile(place.site);
  const lock = await fileLock(`${file}.lock`, WAIT_MS, 5);
  if (lock === null)
    place.warn(`another process has kept the governance log ${file} for ${WAIT_MS / 1000} s: it is written to all the same`);
  try {
    await append(file, place, entry);
  } finally {
    lock?.release();
  }
}

async function append(file: string, { control, warn }: GovernancePlace, entry: GovernanceEntry): Promise<void> {
  const broken = chainProblems(file, control === null ? null : await governanceHead(control));
  if (broken.length > 0) warn(`the governance log ${file} is not as it was written: ${broken.join("; ")}`);
  appendGovernance(file, broken.length === 0 ? entry : { ...entry, broken });
  await control?.keep(HEAD_KEY, chainHead(file));
}

/** The same for whoever has no control record open. Where it cannot be asked, the entry is written all the same. */
export async function recordOutsideRun(
  { site, definition, warn }: { site: Site; definition: SystemDefinition; warn: (message: string) => void },
  entry: GovernanceEntry,
): Promise<void> {
  const control = await openControl(site, definition).catch(() => null);
  await recordGovernance({ site, control, warn }, entry).finally(() => control?.end());
}
