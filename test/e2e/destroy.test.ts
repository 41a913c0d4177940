/** `pulumi destroy`: data goes only when that is said by name, whichever the engine; kept, it is found again. */
import { existsSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { afterEach, expect, test } from "vitest";
import { DESTROY_DATA } from "../../rollout/destroy.ts";
import { stateFile, liveFile, serverHome } from "../../config/site.ts";
import { makeStand, PINS, succeeded, type Stand } from "./stand.ts";

let stand: Stand | undefined;
afterEach(() => stand?.destroy());

const destroy = (choice: string) => stand!.pulumi(["destroy", "--yes", "--skip-preview"], { [DESTROY_DATA]: choice });

test("a server: refused with what it holds, kept and found again, dropped when its stack is named", async () => {
  stand = await makeStand();
  await stand.upWell();
  await stand.insertWell("BEFORE-1");
  await stand.upWell(PINS.forward);
  await stand.untilStandby();
  await stand.insertWell("SINCE-1");
  const before = stand.pids();

  const refused = await destroy("");
  expect(refused.code).not.toBe(0);
  expect(refused.output).toMatch(
    /e2e has data in \S+home: database pfa \(\d+\.\d MB\); snapshots before-v4\.0\.0@1\. Nothing was stopped or dropped\./,
  );
  expect(refused.output).toContain("BACKOUT_DESTROY_DATA=drop:e2e");
  const wrong = await destroy("drop:production");
  expect(wrong.output).toMatch(/BACKOUT_DESTROY_DATA="drop:production" is not allowed: set it to `keep`, or to `drop:e2e`/);
  expect(stand.pids()).toEqual(before);
  expect(await stand.ids()).toEqual(["BEFORE-1", "SINCE-1"]);
  succeeded(await stand.up());

  succeeded(await destroy("keep"));
  expect(Object.values(stand.pids()).every((pid) => pid === null)).toBe(true);
  expect(existsSync(serverHome(stand.site))).toBe(true);
  await stand.upWell();
  expect(await stand.ids()).toEqual(["BEFORE-1", "SINCE-1"]);
  // What was kept is a way back, too.
  await stand.upWell(PINS.restore("before-v4.0.0@1"));
  expect(await stand.ids()).toEqual(["BEFORE-1"]);

  succeeded(await destroy("drop:e2e"));
  expect(existsSync(serverHome(stand.site))).toBe(false);
});

test("files: the same", async () => {
  stand = await makeStand({ system: "orbis-forge", release: "v2.4.0" });
  await stand.upWell();
  await stand.upWell([{ path: ["release"], value: "phase-3.0.0" }]);
  const file = liveFile(stand.site, "production");
  const read = (): unknown => {
    const database = new DatabaseSync(file);
    try {
      return database.prepare("SELECT * FROM user_permissions ORDER BY id").all();
    } finally {
      database.close();
    }
  };
  const rows = read();
  const refused = await destroy("");
  expect(refused.code).not.toBe(0);
  expect(refused.output).toMatch(
    /e2e has data in \S+home: database production \(\d+\.\d MB\); snapshots before-phase-3\.0\.0@1\. Nothing was stopped/,
  );
  succeeded(await stand.up());

  succeeded(await destroy("keep"));
  await stand.upWell();
  expect(read()).toEqual(rows);

  succeeded(await destroy("drop:e2e"));
  expect(existsSync(file)).toBe(false);
  expect(existsSync(stateFile(stand.site))).toBe(false);
});
