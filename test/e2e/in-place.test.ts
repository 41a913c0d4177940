/** A hosted PostgreSQL: the owner of the database may neither rename it nor make another. Debian's server and client tools. */
import { existsSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { missingDebianServer } from "../databases/postgres/drivers/debian-server.ts";
import { startHosted, type Hosted } from "../databases/in-place/hosted.ts";
import { makeStand, PINS, type Stand } from "./stand.ts";

const missing = missingDebianServer();
let hosted: Hosted;
let stand: Stand;

describe.skipIf(missing !== null)("a database that can be neither renamed nor left, with the driver in-place", () => {
  beforeAll(async () => {
    hosted = await startHosted();
    await (await hosted.database("pfa")).end();
    process.env["BACKOUT_SERVER_PASSWORD"] = hosted.endpoint.password;
    const { host, port, user } = hosted.endpoint;
    stand = await makeStand({ edits: [{ path: ["server"], value: { host, port, user, driver: "in-place" } }] });
  });
  afterAll(async () => {
    await stand.destroy();
    await hosted.stop();
    delete process.env["BACKOUT_SERVER_PASSWORD"];
  });

  test("deploys, dumps the snapshot, restores it in place, exports the rows written since, and undoes it", async () => {
    await stand.upWell();
    await stand.insertWell("BEFORE-1");
    await stand.upWell([...PINS.forward]);
    await stand.untilStandby();
    // The database was there, empty, before the first deployment: that took one, too.
    const snapshot = (await stand.snapshots()).at(-1);
    expect(snapshot).toMatchObject({ driver: "in-place", name: "before-v4.0.0", generation: 1 });
    expect(existsSync(snapshot!.location)).toBe(true);
    await stand.insertWell("SINCE-1", "SINCE-2");
    const preview = await stand.preview(PINS.restore("before-v4.0.0@1"));
    expect(preview.output).toMatch(/replaced where it stands, in one transaction, after a safety dump: slower than a rename/);
    expect(preview.output).toMatch(/rows at risk .* in pfa_records: 2 inserted/);
    await stand.upWell();
    expect(await stand.version()).toBe("v3.0.0");
    expect(await stand.ids()).toEqual(["BEFORE-1"]);
    await expect(stand.sql("SELECT COUNT(*) FROM pfa_write_queue")).rejects.toMatchObject({ code: "42P01" });
    const exported = await stand.exports(3);
    expect(exported.filter(({ path }) => /pfa_records.*(jsonl|csv)$/.test(path)).map(({ rows }) => Number(rows))).toEqual([2, 2]);
    const [quarantine] = await stand.quarantines();
    expect(quarantine).toMatchObject({ name: "pfa_quarantine_3", role: "quarantine" });
    const databases = await stand.sql<{ datname: string }>("SELECT datname FROM pg_database WHERE datname LIKE 'pfa%'");
    expect(databases.map(({ datname }) => datname)).toEqual(["pfa"]);

    await stand.upWell([
      { path: ["release"], value: "v4.0.0" },
      { path: ["services"], value: undefined },
      { path: ["data"], value: `quarantine:${quarantine!.name}` },
    ]);
    expect(await stand.version()).toBe("v4.0.0");
    expect((await stand.ids()).sort()).toEqual(["BEFORE-1", "SINCE-1", "SINCE-2"]);
  });

  test("killed before the restore is kept, running it again converges and nothing is lost", async () => {
    await stand.insertWell("SINCE-3");
    await stand.interrupt("in-place.before-commit", "provider", PINS.restore("before-v4.0.0@1"));
    // Nothing of it has happened: the rows are there, and users are kept out.
    expect(await stand.sql("SELECT pfa_id FROM pfa_records WHERE pfa_id = 'SINCE-3'")).toEqual([{ pfa_id: "SINCE-3" }]);
    expect(stand.gate()?.mode).toBe("closed");
    await stand.upWell();
    expect(await stand.version()).toBe("v3.0.0");
    expect(await stand.ids()).toEqual(["BEFORE-1"]);
    const last = await stand.last();
    const exported = await stand.exports(last!.epoch);
    expect(exported.filter(({ path }) => /pfa_records.*jsonl$/.test(path)).map(({ rows }) => Number(rows))).toEqual([3]);
  });

  test("`undo` brings back what was set aside in a dump, whoever asked for the rollback", async () => {
    const { code, stderr } = await stand.verb("undo", "--yes");
    expect(code, stderr).toBe(0);
    expect(await stand.version()).toBe("v4.0.0");
    expect((await stand.ids()).sort()).toEqual(["BEFORE-1", "SINCE-1", "SINCE-2", "SINCE-3"]);
    expect(stand.pids().worker).not.toBeNull();
  });
});
