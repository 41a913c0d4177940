/** Whoever makes a standby copy may be killed: then another begins, and nobody waits for ever. */
import { expect, test } from "vitest";
import type { StateStore } from "../../config/record.ts";
import { untilStandby } from "../../rollout/await-standby.ts";
import type { Site } from "../../config/site.ts";

const SITE = {} as Site;
const SNAPSHOT = { id: 7, database: "shop", name: "before-v2", generation: 1 };
const NOBODY = { began: { pid: 2 ** 22, startTime: "long ago" } };

/** A record with one snapshot, and with what is known of the attempts to make its standby copy. */
function recordOf(attempt: unknown) {
  const disk = { attempt, standby: false };
  const state = {
    readySnapshots: async () => [SNAPSHOT],
    catalogued: async () => (disk.standby ? [{ role: "standby", snapshotId: 7, verified: {} }] : []),
    kept: async () => disk.attempt,
  } as unknown as StateStore;
  return { disk, state };
}

test.each([
  ["was killed", NOBODY],
  ["was killed before it began", null],
])("the one who made it %s: another begins, and the snapshot has its standby copy", async (_what, attempt) => {
  const { disk, state } = recordOf(attempt);
  let begun = 0;
  const begin = (): void => {
    begun += 1;
    disk.standby = true;
  };
  const said: string[] = [];
  expect(await untilStandby(state, SITE, "deploy", (line) => said.push(line), { begin, beginsMs: 100 })).toBe(true);
  expect(begun).toBe(1);
  expect(said.join("\n")).toMatch(/begun again/);
});

test("killed again and again: it ends, and says so", async () => {
  const { state } = recordOf(NOBODY);
  const said: string[] = [];
  expect(await untilStandby(state, SITE, "deploy", (line) => said.push(line), { begin: () => undefined, beginsMs: 100 })).toBe(false);
  expect(said.at(-1)).toMatch(/no standby copy: .*interrupted/);
});

test("it failed: nobody waits, and the reason is told", async () => {
  const { state } = recordOf({ failed: "no room for a copy" });
  const said: string[] = [];
  expect(await untilStandby(state, SITE, "deploy", (line) => said.push(line), { begin: () => expect.unreachable() })).toBe(false);
  expect(said).toEqual([expect.stringMatching(/no standby copy: no room for a copy/)]);
});
