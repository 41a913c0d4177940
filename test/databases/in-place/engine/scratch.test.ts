import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { withScratchServer } from "../../../../databases/in-place/engine/scratch.ts";
import type { Site } from "../../../../config/site.ts";
import { withSession } from "../../../../databases/postgres/connection.ts";
import { ensureServer, observeServer } from "../../../../databases/postgres/server.ts";
import { freePort } from "../../../support/free-port.ts";

let home: string;
beforeAll(() => void (home = mkdtempSync(join(tmpdir(), "backout-scratch-"))));
afterAll(() => rmSync(home, { recursive: true, force: true }));

test("two that read dumps at the same time have a server each; what a dead process left goes, what lives stays", async () => {
  const site = { home } as Site;
  const left = join(home, "scratch", "999999999_gone_1");
  mkdirSync(join(home, "scratch"), { recursive: true });
  await ensureServer({ home: left, port: await freePort(), superuser: "backout" });
  expect(observeServer(left).state).toBe("running");
  await withScratchServer(site, async (making) => {
    expect(observeServer(left).state).toBe("absent");
    const ask = () => withSession(making, "postgres", async (client) => (await client.query<{ one: number }>("SELECT 1 AS one")).rows);
    const previewed = await withScratchServer(site, async (preview) => {
      expect(preview.port).not.toBe(making.port);
      return withSession(preview, "postgres", async (client) => (await client.query<{ one: number }>("SELECT 1 AS one")).rows);
    });
    expect(previewed).toEqual([{ one: 1 }]);
    expect(await ask()).toEqual([{ one: 1 }]);
  });
  expect(readdirSync(join(home, "scratch"))).toEqual([]);
});
