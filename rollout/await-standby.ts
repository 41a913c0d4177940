/** Waits for the standby copies. A process must be making them; one that was killed is started again. */
import type { StateStore } from "../config/record.ts";
import type { Site } from "../config/site.ts";
import { makeStandbysInBackground, attemptAt, missingStandbys } from "./standby.ts";

type Policy = Parameters<typeof makeStandbysInBackground>[1];

const LOOK_MS = 250;
/** How long the process that makes the copies may take to start. Milliseconds. */
const BEGINS_MS = 10_000;
const LIMIT_MS = 300_000;
const TELL_MS = 10_000;
/** How often a killed process is started again. */
const FURTHER = 2;

/**
 * @returns whether every snapshot that should have a standby copy has one.
 * @param begin starts another process that makes the missing ones. @param beginsMs how long it may take to begin.
 */
export async function untilStandby(
  state: StateStore,
  site: Site,
  policy: Policy,
  say: (line: string) => void,
  { begin = () => makeStandbysInBackground(site, policy), beginsMs = BEGINS_MS }: { begin?: () => void; beginsMs?: number } = {},
): Promise<boolean> {
  if (policy === "never") return false;
  const startedAt = performance.now();
  let [seenAt, toldAt, further] = [startedAt, startedAt, 0];
  for (;;) {
    const missing = await missingStandbys(state, policy);
    if (missing.length === 0) return (await state.readySnapshots()).length > 0;
    const attempts = await Promise.all(missing.map((snapshot) => attemptAt(state, snapshot)));
    const failed = attempts.find((attempt) => attempt.state === "failed");
    const now = performance.now();
    if (failed !== undefined) return noStandby(failed.reason, say);
    if (attempts.some(({ state }) => state === "working")) seenAt = now;
    else if (now - seenAt > beginsMs) {
      if (further++ >= FURTHER) return noStandby("making its copy was interrupted again and again", say);
      say("  nobody is making the standby copy any more: begun again");
      begin();
      seenAt = now;
    }
    if (now - startedAt > LIMIT_MS) return noStandby(`its copy was not ready after ${LIMIT_MS / 1000} s`, say);
    if (now - toldAt > TELL_MS) {
      toldAt = now;
      say("  the snapshot gets its standby copy…");
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

function noStandby(reason: string, say: (line: string) => void): boolean {
  say(`! the snapshot has no standby copy: ${reason}; the next update tries again, and until then a rollback makes the copy itself`);
  return false;
}
