import fc from "fast-check";
import { afterAll, beforeAll, expect, it } from "vitest";
import { connect } from "../../../databases/postgres/connection.ts";
import {
  applyProperties,
  DatabaseMissingError,
  PropertyMismatchError,
  propertyStatements,
  readProperties,
  settingValue,
  splitNames,
} from "../../../databases/postgres/properties.ts";
import { admit, fenceDatabase } from "../../../databases/postgres/fence.ts";
import { startServer, type TestServer } from "./embedded.ts";

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
  await server.admin.query(`CREATE ROLE "the owner"; CREATE ROLE reader LOGIN PASSWORD 'r'; CREATE ROLE "Mixed-Case"; CREATE ROLE other`);
}, 60_000);
afterAll(() => server.remove());

it("puts back exactly what a template copy loses", async () => {
  const live = await server.database('live "1"');
  const quoted = '"live ""1"""';
  await server.admin.query(`
    ALTER DATABASE ${quoted} OWNER TO "the owner";
    REVOKE ALL ON DATABASE ${quoted} FROM PUBLIC;
    GRANT CONNECT ON DATABASE ${quoted} TO reader; GRANT CREATE ON DATABASE ${quoted} TO "Mixed-Case" WITH GRANT OPTION; GRANT TEMP ON DATABASE ${quoted} TO "Mixed-Case";
    ALTER DATABASE ${quoted} SET search_path TO "$user", 'My "Schema', public;
    ALTER DATABASE ${quoted} SET "app.tenant" TO 'it''s = 1, 2';
    ALTER DATABASE ${quoted} SET DateStyle TO 'ISO, DMY';
    ALTER ROLE reader IN DATABASE ${quoted} SET statement_timeout TO '5s';
    ALTER ROLE "Mixed-Case" IN DATABASE ${quoted} SET work_mem TO '12MB';
    ALTER DATABASE ${quoted} CONNECTION LIMIT 17;
    COMMENT ON DATABASE ${quoted} IS 'it''s the live one'`);
  const saved = await readProperties(server.admin, live);
  expect(saved).toMatchObject({
    owner: "the owner",
    connectionLimit: 17,
    comment: "it's the live one",
    allowConnections: true,
    encoding: "UTF8",
    collate: "C",
  });
  expect(saved.settings).toHaveLength(5);

  await server.admin.query(`CREATE DATABASE copy TEMPLATE ${quoted}`);
  expect(await readProperties(server.admin, "copy")).not.toEqual(saved);
  await server.admin.query(
    `ALTER DATABASE copy SET work_mem TO '1MB'; ALTER DATABASE copy ALLOW_CONNECTIONS false; GRANT CONNECT ON DATABASE copy TO other`,
  );
  const statements = await applyProperties(server.admin, "copy", { ...saved, allowConnections: false });
  expect(statements.length).toBeGreaterThan(0);
  expect(await readProperties(server.admin, "copy")).toEqual({ ...saved, allowConnections: false });
  expect(await applyProperties(server.admin, "copy", { ...saved, allowConnections: false })).toEqual([]);
  await applyProperties(server.admin, "copy", saved);
  expect(await readProperties(server.admin, "copy")).toEqual(saved);

  const shown = await connect(server.endpoint, "copy");
  await shown.query("RESET search_path");
  const { rows } = await shown.query(
    `SELECT setconfig FROM pg_db_role_setting s JOIN pg_database d ON d.oid = setdatabase WHERE datname = $1 AND setrole = 0`,
    [live],
  );
  const copied = await shown.query(
    `SELECT setconfig FROM pg_db_role_setting s JOIN pg_database d ON d.oid = setdatabase WHERE datname = 'copy' AND setrole = 0`,
  );
  expect([...(copied.rows[0] as { setconfig: string[] }).setconfig].sort()).toEqual(
    [...(rows[0] as { setconfig: string[] }).setconfig].sort(),
  );
  await shown.end();
});

it("puts default grants back where there were none of its own", async () => {
  const live = await server.database("plain");
  const saved = await readProperties(server.admin, live);
  await server.admin.query(
    "REVOKE ALL ON DATABASE plain FROM PUBLIC; GRANT ALL ON DATABASE plain TO other; ALTER DATABASE plain OWNER TO other",
  );
  await applyProperties(server.admin, live, saved);
  expect(await readProperties(server.admin, live)).toEqual(saved);
});

it("is part of the caller's transaction", async () => {
  await server.database("rolled");
  const saved = await readProperties(server.admin, "rolled");
  await server.admin.query("BEGIN");
  await applyProperties(server.admin, "rolled", { ...saved, comment: "x", connectionLimit: 3 });
  await server.admin.query("ROLLBACK");
  expect(await readProperties(server.admin, "rolled")).toEqual(saved);
});

it("refuses what cannot be changed, and what is not there", async () => {
  await server.database("fixed");
  const saved = await readProperties(server.admin, "fixed");
  await expect(applyProperties(server.admin, "fixed", { ...saved, encoding: "LATIN1" })).rejects.toThrow(PropertyMismatchError);
  await expect(readProperties(server.admin, "absent")).rejects.toThrow(DatabaseMissingError);
  expect(propertyStatements("fixed", saved, saved)).toEqual([]);
});

it("takes lists of names apart as the server puts them together", () => {
  expect(splitNames('"$user", public, "My ""Schema"')).toEqual(["$user", "public", 'My "Schema']);
  expect(settingValue("search_path", '"$user", public')).toBe("'$user', 'public'");
  expect(settingValue("DateStyle", "ISO, DMY")).toBe("'ISO, DMY'");
  const name = fc.string({ minLength: 1 });
  fc.assert(
    fc.property(fc.array(name), (names) => {
      expect(splitNames(names.map((entry) => `"${entry.replaceAll('"', '""')}"`).join(", "))).toEqual(names);
    }),
  );
});

const ROLES = ["the owner", "reader", "Mixed-Case", "other"];

/** Grants somebody may have given: NULL where none was ever written out, granted by others than the owner, taken from PUBLIC. */
const acls = fc.record({
  owner: fc.constantFrom("backout", ...ROLES),
  limit: fc.constantFrom(-1, 0, 7),
  template: fc.boolean(),
  statements: fc.array(
    fc.oneof(
      fc
        .tuple(fc.constantFrom("CONNECT", "TEMPORARY", "CREATE", "ALL"), fc.constantFrom(...ROLES), fc.boolean())
        .map(
          ([privilege, role, grantable]) => `GRANT ${privilege} ON DATABASE guarded TO "${role}"${grantable ? " WITH GRANT OPTION" : ""}`,
        ),
      fc.constantFrom("CONNECT", "TEMPORARY", "ALL").map((privilege) => `REVOKE ${privilege} ON DATABASE guarded FROM PUBLIC`),
      fc
        .tuple(fc.constantFrom(...ROLES), fc.constantFrom(...ROLES))
        .map(([by, to]) => `SET ROLE "${by}"; GRANT CONNECT ON DATABASE guarded TO "${to}"; RESET ROLE`),
    ),
    { maxLength: 6 },
  ),
});

it(
  "gives grants back exactly as the catalogue held them, after every stage of the fence, whoever granted them",
  { timeout: 60_000 },
  async () => {
    const { admin } = server;
    const held = async (): Promise<unknown> =>
      (
        await admin.query(
          "SELECT datacl::text, datdba::regrole::text AS owner, datconnlimit, datallowconn, datistemplate FROM pg_database WHERE datname = 'guarded'",
        )
      ).rows[0];
    await fc.assert(
      fc.asyncProperty(acls, fc.constantFrom("everybody", "services"), async ({ owner, limit, template, statements }, stage) => {
        await server.database("guarded");
        try {
          await admin.query(`ALTER DATABASE guarded OWNER TO "${owner}"`);
          await admin.query(`ALTER DATABASE guarded CONNECTION LIMIT ${limit} IS_TEMPLATE ${template}`);
          for (const statement of statements) await admin.query(statement).catch(() => admin.query("RESET ROLE"));
          const before = await held();
          const saved = await readProperties(admin, "guarded");
          await fenceDatabase(admin, "guarded");
          // As often as attempts fail and are run again.
          for (const to of [stage, "services", "everybody"] as const)
            await admit(admin, "guarded", to, { servicesRole: "reader", admits: ["other"], saved });
          expect(await held()).toEqual(before);
        } finally {
          await admin.query("ALTER DATABASE guarded IS_TEMPLATE false; ");
          await admin.query("DROP DATABASE guarded WITH (FORCE)");
        }
      }),
      { numRuns: 12 },
    );
    const { rows } = await admin.query(
      "SELECT count(*)::int AS left FROM pg_shdepend WHERE dbid = 0 AND classid = 'pg_database'::regclass AND deptype = 'a' AND objid NOT IN (SELECT oid FROM pg_database)",
    );
    expect(rows).toEqual([{ left: 0 }]);
  },
);
