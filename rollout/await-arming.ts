/** Waits for the way back: somebody must be working at it, and whoever was ended is followed by another. */
import type { StateStore } from "../config/record.ts";
import type { Site } from "../config/site.ts";
import { armInBackground, attemptAt, toArm } from "./arming.ts";

type Policy = Parameters<typeof armInBackground>[1];

const LOOK_MS = 250;
/** Whoever is to arm has begun by then. Milliseconds. */
const BEGINS_MS = 10_000;
const LIMIT_MS = 300_000;
const TELL_MS = 10_000;
/** How often somebody who was ended is followed by another. */
const FURTHER = 2;

/**
 * @returns whether everything that should be armed is.
 * @param begin starts another process to arm what is missing. @param beginsMs how long it may take to begin.
 */
export async function untilArmed(
  state: StateStore,
  site: Site,
  policy: Policy,
  say: (line: string) => void,
  { begin = () => armInBackground(site, policy), beginsMs = BEGINS_MS }: { begin?: () => void; beginsMs?: number } = {},
): Promise<boolean> {
  if (policy === "never") return false;
  const startedAt = performance.now();
  let [seenAt, toldAt, further] = [startedAt, startedAt, 0];
  for (;;) {
    const missing = await toArm(state, policy);
    if (missing.length === 0) return (await state.readySnapshots()).length > 0;
    const attempts = await Promise.all(missing.map((snapshot) => attemptAt(state, snapshot)));
    const failed = attempts.find((attempt) => attempt.state === "failed");
    const now = performance.now();
    if (failed !== undefined) return notArmed(failed.reason, say);
    if (attempts.some(({ state }) => state === "working")) seenAt = now;
    else if (now - seenAt > beginsMs) {
      if (further++ >= FURTHER) return notArmed("making its copy was interrupted again and again", say);
      say("  nobody arms the snapshot any more: begun again");
      begin();
      seenAt = now;
    }
    if (now - startedAt > LIMIT_MS) return notArmed(`its copy was not ready after ${LIMIT_MS / 1000} s`, say);
    if (now - toldAt > TELL_MS) {
      toldAt = now;
      say("  the snapshot is being armed…");
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

function notArmed(reason: string, say: (line: string) => void): boolean {
  say(`! the snapshot is not armed: ${reason}; the next update tries again, and until then a rollback makes the copy itself`);
  return false;
}
