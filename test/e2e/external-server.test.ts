/** A PostgreSQL that is not ours: Debian's, with its own client tools and the `dump` driver. */
import { existsSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { missingDebianServer, startDebianServer, type DebianServer } from "../postgres/drivers/debian-server.ts";
import { makeStand, PINS, succeeded, type Stand } from "./stand.ts";

const missing = missingDebianServer();
let server: DebianServer | undefined;
let stand: Stand;

describe("an external server with the dump driver", () => {
  beforeAll(async () => {
    if (missing !== null) return;
    server = await startDebianServer();
    process.env["BACKOUT_SERVER_PASSWORD"] = server.endpoint.password;
    const { host, port, user } = server.endpoint;
    stand = await makeStand({ edits: [{ path: ["server"], value: { host, port, user, driver: "dump" } }] });
  });
  afterAll(async () => {
    if (server === undefined) return;
    await stand.destroy();
    await server.stop();
    delete process.env["BACKOUT_SERVER_PASSWORD"];
  });

  test("deploys, dumps the snapshot, arms it, and rolls the data back with a cut-over by rename", async (context) => {
    if (missing !== null) return context.skip(missing);
    await stand.upWell();
    await stand.insertWell("BEFORE-1");
    await stand.upWell([...PINS.forward]);
    await stand.untilArmed();
    const [snapshot] = await stand.snapshots();
    expect(snapshot).toMatchObject({ driver: "dump", name: "before-v4.0.0", generation: 1 });
    expect(existsSync(snapshot!.location)).toBe(true);
    await stand.insertWell("SINCE-1", "SINCE-2");
    await stand.upWell(PINS.restore("before-v4.0.0@1"));
    expect(await stand.version()).toBe("v3.0.0");
    expect(await stand.ids()).toEqual(["BEFORE-1"]);
    const exported = await stand.exports(3);
    expect(exported.filter(({ path }) => /pfa_records.*jsonl$/.test(path)).map(({ rows }) => Number(rows))).toEqual([2]);
    expect(await stand.lost(["BEFORE-1", "SINCE-1", "SINCE-2"])).toEqual([]);
  });

  test("a preview without reach says that data at risk is unknown; an update without reach fails before anything stops", async (context) => {
    if (missing !== null) return context.skip(missing);
    const before = stand.pids();
    const port = stand.site.ports["worker"]!;
    const preview = succeeded(
      await stand.preview([
        { path: ["server", "port"], value: port + 1 },
        { path: ["release"], value: "v4.0.0" },
        { path: ["data"], value: "current" },
      ]),
    );
    expect(preview.output).toMatch(/data at risk is unknown/);
    const update = await stand.up();
    expect(update.code).not.toBe(0);
    expect(update.output).toMatch(/cannot reach database .* Nothing was stopped/);
    expect(stand.pids()).toEqual(before);
    expect(await stand.version()).toBe("v3.0.0");
    await stand.upWell([{ path: ["server", "port"], value: server!.endpoint.port }, ...PINS.restore("before-v4.0.0@1")]);
    expect(stand.pids()).toEqual(before);
  });
});
