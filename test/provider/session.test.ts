/** The provider's hold on a system: one locked session, shared by the resources of one update. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { LockedError } from "../../config/record.ts";
import { PostgresState } from "../../databases/postgres/state/store.ts";
import type { Site } from "../../config/site.ts";
import { runOf } from "../../provider/session.ts";
import { startServer, type TestServer } from "../databases/postgres/embedded.ts";
import { siteAt } from "./provider-process.ts";

const home = mkdtempSync(join(tmpdir(), "backout-session-"));
let server: TestServer;
let site: Site;
beforeAll(async () => {
  server = await startServer();
  const { host, port, user, passwordFile } = server.endpoint as { host: string; port: number; user: string; passwordFile: string };
  site = siteAt(home, [1, 2, 3, 4, 5], {
    server: { embedded: false, host, port, user, passwordFile, driver: "template", databases: {} },
  });
});
afterAll(async () => {
  await (await runOf(site, 1, call)).state.end();
  await server?.remove();
  rmSync(home, { recursive: true, force: true });
});

const call = { urn: "urn", log: (): void => undefined };

describe("the provider's session", () => {
  it("is one, however many resources begin at once", async () => {
    const runs = await Promise.all([1, 1, 1, 1].map((epoch) => runOf(site, epoch, call)));
    expect(new Set(runs.map(({ state }) => state)).size).toBe(1);
    expect(new Set(runs.map(({ runId }) => runId)).size).toBe(1);
    expect((await runOf(site, 2, call)).state).toBe(runs[0]!.state);
  });

  it("keeps another run out", async () => {
    const other = await PostgresState.create(server.endpoint, "pfa_backout");
    await expect(other.lock({ runId: "other" }, 0)).rejects.toThrow(LockedError);
    await other.end();
  });

  it("is opened anew, once, where the server ended it", async () => {
    const { state } = await runOf(site, 1, call);
    const ended = new Promise<void>((resolve) => state.onLost(resolve));
    await server.admin.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'pfa_backout'");
    await ended;
    const runs = await Promise.all([1, 1, 1].map((epoch) => runOf(site, epoch, call)));
    expect(new Set(runs.map((run) => run.state)).size).toBe(1);
    expect(runs[0]!.state).not.toBe(state);
    expect(await runs[0]!.state.lastRollout()).toBeNull();
  });
});
