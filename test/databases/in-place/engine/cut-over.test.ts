/** A hosted database by its stack: what its owner must be allowed, what is known before anybody is kept out, and that nothing is replaced before it is exported. */
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { prepareStandby, readinessOf } from "../../../../rollout/standby.ts";
import { inPlace } from "../../engines/whole.ts";
import { isExported } from "../../../../rollout/exports.ts";
import { exportFolder, ownerRole, servicesRole, type Server } from "../../../../config/site.ts";
import { withSession } from "../../../../databases/postgres/connection.ts";
import { DamagedDumpError } from "../../../../databases/postgres/drivers/dump-manifest.ts";
import { missingDebianServer } from "../../postgres/drivers/debian-server.ts";
import { startHosted, type Hosted } from "../hosted.ts";
import { DATABASE, makeStand, PINS, planOf, RESTORE, type Stand } from "../../engines/postgres-stand.ts";

const missing = missingDebianServer();

describe.skipIf(missing !== null)("a database in place", { timeout: 120_000 }, () => {
  let hosted: Hosted;
  let stand: Stand;
  const admin = async <Row extends object>(text: string, database = "postgres"): Promise<Row[]> =>
    withSession(hosted.server.endpoint, database, async (client) => (await client.query<Row>(text)).rows);
  beforeAll(async () => void (hosted = await startHosted()), 120_000);
  afterAll(async () => hosted.stop());
  beforeEach(async () => {
    await (await hosted.database(DATABASE)).end();
    const { host, port, user, password } = hosted.endpoint;
    const server: Server = { embedded: false, host, port, user, password: password!, driver: "in-place", databases: {} };
    stand = await makeStand(server, () => Promise.resolve());
  });
  afterEach(async () => {
    await stand.end();
    await admin(`DROP DATABASE ${DATABASE} WITH (FORCE)`);
  });

  test("an owner that may make no roles is told which to ask for; with them it works", async () => {
    await admin("ALTER ROLE hosted NOCREATEROLE");
    const run = await stand.run(1);
    const refusal = async (): Promise<string> =>
      inPlace.refuseUnfenceable(run, [DATABASE]).then(
        () => "",
        (error: Error) => error.message,
      );
    const [owner, services] = [ownerRole(stand.site), servicesRole(stand.site)];
    expect(await refusal()).toContain(
      `run \`CREATE ROLE "${owner}"; CREATE ROLE "${services}" LOGIN PASSWORD …; GRANT "${owner}" TO "hosted"; GRANT "${services}" TO "hosted"\``,
    );
    await admin(`CREATE ROLE "${owner}"; CREATE ROLE "${services}" LOGIN PASSWORD 'theirs'; GRANT "${owner}", "${services}" TO hosted`);
    process.env["BACKOUT_SECRET_DATABASE"] = "another";
    try {
      expect(await refusal()).toContain(`role "${services}" cannot log in with the secret "database": set BACKOUT_SECRET_DATABASE`);
      process.env["BACKOUT_SECRET_DATABASE"] = "theirs";
      expect(await refusal()).toBe("");
      await inPlace.migrate(run, DATABASE, PINS, planOf({ kind: "none" }));
    } finally {
      delete process.env["BACKOUT_SECRET_DATABASE"];
      await admin("ALTER ROLE hosted CREATEROLE");
    }
  });

  test("rows that cannot be exported are not replaced; afterwards they are, and whoever might connect may, exactly as before", async () => {
    const grants = () =>
      admin<{ acl: string }>(
        `SELECT coalesce(datacl, acldefault('d', datdba))::text AS acl FROM pg_database WHERE datname = '${DATABASE}'`,
      );
    const before = await grants();
    const { run, snapshot } = await stand.left();
    const folder = exportFolder(stand.site, "run-3", DATABASE);
    // Nothing can be read there.
    writeFileSync(join(stand.site.home, "scratch"), "");
    await expect(inPlace.cutOver(run, DATABASE, RESTORE, snapshot)).rejects.toThrow();
    expect((await inPlace.lineage(run, DATABASE)).snapshot).toBeNull();
    expect(await stand.sql("SELECT id, label FROM orders ORDER BY id")).toEqual([
      { id: 1, label: "ONE" },
      { id: 2, label: "two" },
      { id: 4, label: "four" },
      { id: 5, label: "refused" },
    ]);
    expect(isExported(folder, "run-3")).toBe(false);
    rmSync(join(stand.site.home, "scratch"));
    await inPlace.cutOver(run, DATABASE, RESTORE, snapshot);
    expect(isExported(folder, "run-3")).toBe(true);
    expect(readFileSync(join(folder, "run-3.orders.jsonl"), "utf8").trim().split("\n")).toHaveLength(4);
    expect((await inPlace.lineage(run, DATABASE)).snapshot?.name).toBe("before-v2");
    await inPlace.migrate(run, DATABASE, PINS, planOf(RESTORE));
    await inPlace.admit(run, DATABASE, "services");
    await inPlace.admit(run, DATABASE, "everybody");
    expect(acl(await grants())).toEqual(acl(before));
  });

  test("rows with an extension's types and functions, beside foreign tables, are counted, exported and replaced", async () => {
    await admin(
      `CREATE EXTENSION citext; CREATE SCHEMA extensions; CREATE EXTENSION "uuid-ossp" SCHEMA extensions; GRANT USAGE ON SCHEMA extensions TO hosted;
       CREATE EXTENSION postgres_fdw; GRANT USAGE ON FOREIGN DATA WRAPPER postgres_fdw TO hosted`,
      DATABASE,
    );
    const { run, snapshot } = await stand.left({
      prepare: () =>
        stand.sql(
          `CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw; CREATE USER MAPPING FOR hosted SERVER far; CREATE FOREIGN TABLE ft (i int) SERVER far;
           CREATE TABLE mails (id uuid PRIMARY KEY DEFAULT extensions.uuid_generate_v4(), address citext); INSERT INTO mails (address) VALUES ('A@x')`,
        ),
    });
    run.definition.databases[DATABASE]!.tables.push("mails");
    await inPlace.refuseUnfenceable(run, [DATABASE]);
    await inPlace.refuseRestore(run, DATABASE, { snapshot });
    await stand.sql("INSERT INTO mails (address) VALUES ('B@x'); UPDATE mails SET address = 'a@X' WHERE address = 'a@x'");
    expect((await inPlace.rowsSince(run, DATABASE, snapshot)).rows["mails"]).toEqual({ inserted: 1, updated: 1, deleted: 0 });
    await inPlace.cutOver(run, DATABASE, RESTORE, snapshot);
    expect(await stand.sql("SELECT address FROM mails")).toEqual([{ address: "A@x" }]);
    expect(
      readFileSync(join(exportFolder(stand.site, "run-3", DATABASE), "run-3.mails.jsonl"), "utf8")
        .trim()
        .split("\n"),
    ).toHaveLength(2);
  });

  test("a standby is what was tried in the live database as it is; a schema that changed since says so", async () => {
    const { run, snapshot } = await stand.snapshotted();
    await inPlace.admit(run, DATABASE, "everybody");
    expect((await readinessOf(run, snapshot)).standby).toBe(false);
    await prepareStandby(run, snapshot);
    expect(await readinessOf(run, snapshot)).toEqual({ standby: true, reason: null });
    await stand.sql("INSERT INTO orders VALUES (9, 1, 'nine')");
    expect((await readinessOf(run, snapshot)).standby).toBe(true);
    await stand.sql("ALTER TABLE orders ADD note text");
    expect(await readinessOf(run, snapshot)).toEqual({ standby: false, reason: "the schema changed since it was tried" });
  });

  test("a dump that is damaged, or needs what is gone, is refused before anybody is kept out", async () => {
    await admin("CREATE EXTENSION citext", DATABASE);
    const { run, snapshot } = await stand.snapshotted({ prepare: () => stand.sql("CREATE TABLE mails (address citext)") });
    await inPlace.refuseRestore(run, DATABASE, { snapshot });
    await stand.sql("DROP TABLE mails");
    await admin("DROP EXTENSION citext", DATABASE);
    await expect(inPlace.refuseRestore(run, DATABASE, { snapshot })).rejects.toThrow(
      'the snapshot needs extension "citext", which is not installed',
    );
    writeFileSync(join(snapshot.location, "toc.dat"), "damaged");
    await expect(inPlace.refuseRestore(run, DATABASE, { snapshot })).rejects.toThrow(DamagedDumpError);
  });
});

/** Its entries but those of the stack's own roles, in any order. */
function acl(rows: { acl: string }[]): string[] {
  return rows[0]!.acl
    .slice(1, -1)
    .split(",")
    .filter((entry) => !entry.startsWith("backout_"))
    .sort();
}
