import { appendFile, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type pg from "pg";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { connect } from "../../../../databases/postgres/connection.ts";
import { ClientToolsMissingError, findClientTools } from "../../../../databases/postgres/drivers/client-tools.ts";
import { SnapshotExistsError } from "../../../../databases/postgres/drivers/driver.ts";
import {
  createStatement,
  dumpArguments,
  dumpDriver,
  DumpToolError,
  restoreArguments,
} from "../../../../databases/postgres/drivers/dump.ts";
import {
  DamagedDumpError,
  DUMP_MANIFEST,
  DumpNotHereError,
  type DumpManifest,
} from "../../../../databases/postgres/drivers/dump-manifest.ts";
import { unfinishedDatabases } from "./unfinished.ts";
import { fenceDatabase, sessionInside } from "../../../../databases/postgres/fence.ts";
import { captureManifest, compareManifests } from "../../../../databases/postgres/manifest.ts";
import { readProperties } from "../../../../databases/postgres/properties.ts";
import { missingDebianServer, startDebianServer, type DebianServer } from "./debian-server.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "backout-dump-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("client tools", () => {
  it("names the tool and the package that is missing", async () => {
    const missing = findClientTools(99, [folder]);
    await expect(missing).rejects.toThrow(ClientToolsMissingError);
    await expect(missing).rejects.toThrow("pg_dump of PostgreSQL 99");
    await expect(missing).rejects.toThrow("postgresql-client-99");
  });

  it("does not take another major version, or one of the two alone", async () => {
    const place = join(folder, "tools");
    await mkdir(place);
    await writeFile(join(place, "pg_dump"), "#!/bin/sh\necho 'pg_dump (PostgreSQL) 15.2'\n", { mode: 0o755 });
    await expect(findClientTools(16, [place])).rejects.toThrow(`found: ${join(place, "pg_dump")} 15.2`);
    await expect(findClientTools(15, [place])).rejects.toMatchObject({ tool: "pg_restore" });
    await writeFile(join(place, "pg_restore"), "#!/bin/sh\necho 'pg_restore (PostgreSQL) 15.2'\n", { mode: 0o755 });
    expect(await findClientTools(15, [place])).toEqual({
      pgDump: join(place, "pg_dump"),
      pgRestore: join(place, "pg_restore"),
      psql: join(place, "psql"),
      version: "15.2",
    });
  });
});

describe("commands", () => {
  it("hold no password, and take any name", () => {
    const endpoint = { host: "h", port: 1, user: "u", password: "secret" };
    const all = [...dumpArguments(endpoint, "a b='x'", "/f", 2, "UTF8"), ...restoreArguments(endpoint, "d", "/f", 2)];
    expect(all.join(" ")).not.toContain("secret");
    expect(all).toContain("--dbname=dbname='a b=\\'x\\''");
    expect(all).toContain("--exit-on-error");
  });

  it("create the database as the dumped one was", () => {
    const manifest = { encoding: "UTF8", collate: "C", ctype: "C", provider: "icu", locale: "de-x-o'h" } as DumpManifest;
    expect(createStatement("d", manifest)).toContain("LOCALE_PROVIDER = icu ICU_LOCALE = 'de-x-o''h' CONNECTION LIMIT 0");
  });
});

const absent = missingDebianServer();

describe("against PostgreSQL 15", () => {
  let server: DebianServer;
  let admin: pg.Client;
  let round = 0;
  let live: string;
  let target: string;

  beforeAll(async () => {
    if (absent !== null) return;
    server = await startDebianServer();
    admin = await connect(server.endpoint, "maintenance");
  }, 60_000);
  afterAll(async () => {
    await admin?.end();
    await server?.stop();
  });
  beforeEach(async (context) => {
    if (absent !== null) return context.skip(absent);
    live = `live${++round}`;
    target = join(folder, `dump${round}`);
    await admin.query(`CREATE DATABASE ${live}`);
    const client = await connect(server.endpoint, live);
    await client.query(`
      CREATE TABLE note (id serial PRIMARY KEY, text text); INSERT INTO note (text) SELECT repeat('x', g) FROM generate_series(1, 300) g;
      CREATE TABLE secret (id int); INSERT INTO secret VALUES (1), (2); ALTER TABLE secret ENABLE ROW LEVEL SECURITY; ALTER TABLE secret FORCE ROW LEVEL SECURITY;
      CREATE MATERIALIZED VIEW stale AS SELECT count(*) AS rows FROM note; INSERT INTO note (text) VALUES ('later')`);
    await client.end();
  });

  const driver = (): ReturnType<typeof dumpDriver> => dumpDriver({ admin, endpoint: server.endpoint });

  it("takes a fenced database and restores it equal, without letting anybody else in", { timeout: 60_000 }, async () => {
    await driver().check();
    const client = await connect(server.endpoint, live);
    const expected = await captureManifest(client);
    await client.end();
    await fenceDatabase(admin, live);
    await mkdir(`${target}__making`);
    await writeFile(join(`${target}__making`, "left over"), "");
    const snapshot = await driver().take(live, target);
    expect(await readProperties(admin, live)).toMatchObject({ allowConnections: false, connectionLimit: -1 });
    await expect(driver().take(live, target)).rejects.toThrow(SnapshotExistsError);
    await expect(stat(`${target}__making`)).rejects.toMatchObject({ code: "ENOENT" });
    expect(await readdir(target)).toContain(DUMP_MANIFEST);
    expect(await driver().sizeBytes(snapshot)).toBeGreaterThan(0);
    expect(await driver().spaceNeededBytes({ snapshot })).toBe(await driver().spaceNeededBytes({ database: live }));

    const restored = await driver().restoreTo(snapshot, `${live}_restored`);
    expect(restored.notes).toEqual(["materialized view public.stale was refreshed by the restore"]);
    expect(await readProperties(admin, `${live}_restored`)).toMatchObject({ allowConnections: false, connectionLimit: -1 });
    const inside = await sessionInside(server.endpoint, admin, `${live}_restored`);
    expect(compareManifests(expected, await captureManifest(inside))).toEqual([]);
    expect((await inside.query("SELECT rows FROM stale")).rows).toEqual([{ rows: "301" }]);
    await inside.end();
    expect(await driver().remove(snapshot)).toBe("removed");
    expect(await driver().remove(snapshot)).toBe("already");
  });

  it("restores nothing from a damaged dump, nor from one that another machine took", { timeout: 60_000 }, async () => {
    await expect(driver().restoreTo({ driver: "dump", location: `${target}_elsewhere` }, `${live}_elsewhere`)).rejects.toThrow(
      DumpNotHereError,
    );
    const snapshot = await driver().take(live, target);
    const name = (await readdir(target)).find((file) => file.endsWith(".dat.gz")) as string;
    const whole = await readFile(join(target, name));
    const restore = (): Promise<unknown> => driver().restoreTo(snapshot, `${live}_damaged`);
    await appendFile(join(target, name), "x");
    await expect(restore()).rejects.toThrow(DamagedDumpError);
    await writeFile(join(target, name), Buffer.from(whole).fill(0, 10, 11).fill(1, 11, 12));
    await expect(restore()).rejects.toThrow("other content than was written");
    await rm(join(target, name));
    await expect(restore()).rejects.toThrow(`${name} is missing`);
    await writeFile(join(target, name), whole);
    const manifest = await readFile(join(target, DUMP_MANIFEST), "utf8");
    await writeFile(join(target, DUMP_MANIFEST), manifest.slice(0, 40));
    await expect(restore()).rejects.toThrow("cannot be read");
    expect((await admin.query("SELECT 1 FROM pg_database WHERE starts_with(datname, $1)", [`${live}_`])).rowCount).toBe(0);
    await writeFile(join(target, DUMP_MANIFEST), manifest);
    await restore();
  });

  it("fails loudly, and leaves nothing, when an object cannot be restored", { timeout: 60_000 }, async () => {
    await admin.query(`DROP ROLE IF EXISTS vanishing; CREATE ROLE vanishing`);
    const client = await connect(server.endpoint, live);
    await client.query("ALTER TABLE note OWNER TO vanishing");
    await client.end();
    const snapshot = await driver().take(live, target);
    await admin.query(`DROP DATABASE ${live}`);
    await admin.query("DROP ROLE vanishing");
    await expect(driver().restoreTo(snapshot, `${live}_broken`)).rejects.toThrow(DumpToolError);
    expect(await unfinishedDatabases(admin, live)).toEqual([]);
    expect((await admin.query("SELECT 1 FROM pg_database WHERE starts_with(datname, $1)", [live])).rowCount).toBe(0);
  });

  it("says what to do when row level security hides rows from the role", { timeout: 60_000 }, async () => {
    await admin.query("DROP ROLE IF EXISTS plain; CREATE ROLE plain LOGIN CREATEDB PASSWORD 'p'");
    const client = await connect(server.endpoint, live);
    await client.query("GRANT SELECT ON ALL TABLES IN SCHEMA public TO plain; GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO plain");
    await client.end();
    const endpoint = { ...server.endpoint, user: "plain", password: "p" };
    const weak = await connect(endpoint, "maintenance");
    const plain = dumpDriver({ admin: weak, endpoint });
    await expect(plain.check()).rejects.toThrow("needs a superuser");
    await expect(plain.take(live, target)).rejects.toThrow("BYPASSRLS");
    await expect(stat(target)).rejects.toMatchObject({ code: "ENOENT" });
    await weak.end();
  });
});
