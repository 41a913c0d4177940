/** What the driver in-place carries, refuses by name and leaves alone: one test per row of its table in docs/data.md. */
// Longer than 300 lines: one test per row of one table of the documents.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { connect } from "../../../databases/postgres/connection.ts";
import { type Endpoint } from "../../../config/endpoint.ts";
import { takeDump } from "../../../databases/in-place/dump.ts";
import { DriverRefusedError } from "../../../databases/in-place/errors.ts";
import { closeInPlace } from "../../../databases/in-place/fence.ts";
import { putForceBack } from "../../../databases/in-place/forced-rls.ts";
import { refuseUnfitting, refuseUnrestorable } from "../../../databases/in-place/obstacles.ts";
import { readExtent } from "../../../databases/in-place/extent.ts";
import { readSurroundings } from "../../../databases/in-place/surroundings.ts";
import { refuseUnreadable } from "../../../databases/in-place/engine/scratch.ts";
import { restoreForReading, restoreInPlace, tryInPlace } from "../../../databases/in-place/restore.ts";
import { missingDebianServer } from "../postgres/drivers/debian-server.ts";
import { startServer, type TestServer } from "../postgres/embedded.ts";
import { toldBy } from "../postgres/told.ts";
import { startHosted, type Hosted } from "./hosted.ts";

const missing = missingDebianServer();
let hosted: Hosted;
let scratch: TestServer;
let folder: string;
let made = 0;

interface Live {
  name: string;
  /** The owner's session. */
  owner: pg.Client;
  superuser: pg.Client;
}

async function live(provided = "", own = ""): Promise<Live> {
  const name = `carried_${++made}`;
  const owner = await hosted.database(name);
  const superuser = await hosted.as("backout", hosted.server.endpoint.password!, name);
  if (provided !== "") await superuser.query(provided);
  if (own !== "") await owner.query(own);
  return { name, owner, superuser };
}

const told = ({ name, superuser }: Live): Promise<string[]> => toldBy(hosted.server.endpoint, superuser, name);

/** Dumped, changed, restored: is as it was. @param as whose way in the restore takes */
async function backAgain(at: Live, since: { own?: string; provided?: string }, as: Endpoint = hosted.endpoint): Promise<void> {
  const client = await connect(as, at.name);
  const dump = join(folder, at.name);
  try {
    await refuseUnrestorable(client);
    // Makes a table of its own, which event triggers hear of.
    await putForceBack(client);
    const before = await told(at);
    // A session of a superuser may not be there: nobody but a superuser could end it.
    await at.superuser.end();
    await closeInPlace(client);
    await takeDump({ client, endpoint: as }, dump);
    at.superuser = await hosted.as("backout", hosted.server.endpoint.password!, at.name);
    if (since.provided !== undefined) await at.superuser.query(since.provided);
    if (since.own !== undefined) await client.query(since.own);
    await refuseUnrestorable(client);
    const after = await told(at);
    expect(after).not.toEqual(before);
    await at.superuser.end();
    await tryInPlace({ client, endpoint: as }, dump);
    await restoreInPlace({ client, endpoint: as }, dump, { statements: [] });
    at.superuser = await hosted.as("backout", hosted.server.endpoint.password!, at.name);
    expect(await told(at)).toEqual(before);
    await scratch.database(at.name);
    await restoreForReading({ client, endpoint: as }, dump, { endpoint: scratch.endpoint, database: at.name });
  } finally {
    await client.end();
  }
}

async function refused(at: Live): Promise<string> {
  const error = await refuseUnrestorable(at.owner).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(DriverRefusedError);
  return (error as Error).message;
}

describe.skipIf(missing !== null)("what the driver in-place carries", { timeout: 120_000 }, () => {
  beforeAll(async () => {
    hosted = await startHosted();
    scratch = await startServer();
    folder = await mkdtemp(join(tmpdir(), "backout-carried-"));
    const admin = await hosted.as("backout", hosted.server.endpoint.password!, "postgres");
    await admin.query("CREATE ROLE anon; CREATE ROLE other LOGIN");
  }, 120_000);
  afterAll(async () => {
    await hosted.stop();
    await scratch.remove();
    await rm(folder, { recursive: true, force: true });
  });

  test("columns of extensions' types, in public and elsewhere; extensions stay as they are", async () => {
    const at = await live(
      `CREATE EXTENSION citext; CREATE SCHEMA extensions; CREATE EXTENSION "uuid-ossp" SCHEMA extensions; GRANT USAGE ON SCHEMA extensions TO hosted`,
      `CREATE TABLE ci (id uuid PRIMARY KEY DEFAULT extensions.uuid_generate_v4(), email citext UNIQUE); INSERT INTO ci (email) VALUES ('A@x'), ('b@x')`,
    );
    await backAgain(at, { own: "ALTER TABLE ci ADD phone text; INSERT INTO ci (email) VALUES ('c@x'); DROP INDEX IF EXISTS none" });
  });

  test("foreign tables; server, user mapping and wrapper stay as they are", async () => {
    const at = await live(
      "CREATE EXTENSION postgres_fdw; GRANT USAGE ON FOREIGN DATA WRAPPER postgres_fdw TO hosted",
      `CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host 'nowhere'); CREATE USER MAPPING FOR hosted SERVER far OPTIONS (user 'u', password 'p');
       CREATE FOREIGN TABLE ft (i int) SERVER far; CREATE VIEW through AS SELECT * FROM ft; CREATE TABLE t (i int); INSERT INTO t VALUES (1)`,
    );
    await backAgain(at, { own: "DROP VIEW through; ALTER FOREIGN TABLE ft ADD j int; INSERT INTO t VALUES (2)" });
  });

  test("objects besides tables: collations, text search, casts, operators, ranges, domains, aggregates, conversions, statistics, rules, comments", async () => {
    const at = await live(
      "",
      `CREATE COLLATION german (provider = icu, locale = 'de'); CREATE TEXT SEARCH CONFIGURATION ts (COPY = simple); CREATE TEXT SEARCH DICTIONARY td (TEMPLATE = simple);
       CREATE TYPE pair AS (a int, b int); CREATE FUNCTION pair_int(pair) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1.a'; CREATE CAST (pair AS int) WITH FUNCTION pair_int(pair);
       CREATE FUNCTION diff(float8, float8) RETURNS float8 LANGUAGE sql IMMUTABLE AS 'SELECT $1 - $2'; CREATE TYPE span AS RANGE (SUBTYPE = float8, SUBTYPE_DIFF = diff);
       CREATE OPERATOR === (LEFTARG = int, RIGHTARG = int, FUNCTION = int4eq); CREATE AGGREGATE total(int) (SFUNC = int4pl, STYPE = int);
       CREATE DOMAIN short AS text CHECK (length(VALUE) < 9); CREATE CONVERSION conv FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8;
       CREATE TABLE t (id int PRIMARY KEY, name text COLLATE german, p pair, s span, d short, g int GENERATED ALWAYS AS (id * 2) STORED);
       CREATE STATISTICS st ON id, name FROM t; CREATE RULE r AS ON DELETE TO t WHERE old.id = 0 DO INSTEAD NOTHING; COMMENT ON TABLE t IS 'a table'; COMMENT ON COLUMN t.name IS 'a name';
       CREATE PROCEDURE nothing(int) LANGUAGE sql AS 'SELECT 1'; CREATE SCHEMA own; COMMENT ON SCHEMA own IS 'ours'; CREATE TABLE own.part (i int) PARTITION BY LIST (i);
       CREATE TABLE own.p1 PARTITION OF own.part FOR VALUES IN (1); CREATE TABLE own.rest PARTITION OF own.part DEFAULT; CREATE TABLE own.child (extra int) INHERITS (t);
       INSERT INTO t VALUES (1, 'ä', (1, 2), '[1,2]', 'd'); INSERT INTO own.part VALUES (1), (2); CREATE FUNCTION counted() RETURNS bigint BEGIN ATOMIC SELECT count(*) FROM t; END`,
    );
    await backAgain(at, {
      own:
        `DROP CAST (pair AS int); DROP AGGREGATE total(int); CREATE OPERATOR CLASS_ (LEFTARG = int, RIGHTARG = int, FUNCTION = int4eq)`.replace(
          "CLASS_",
          "!==",
        ) +
        `; CREATE TYPE later AS ENUM ('a'); CREATE SCHEMA newer; CREATE TABLE newer.t (l later); COMMENT ON TABLE t IS NULL; COMMENT ON SCHEMA own IS NULL; DROP TABLE own.rest; ALTER DOMAIN short DROP CONSTRAINT short_check; DELETE FROM t`,
    });
  });

  test("operator families and classes, event triggers and functions in C, where the role is a superuser; event triggers do not fire meanwhile", async () => {
    const at = await live("", `CREATE TABLE seen (tag text); CREATE TABLE t (i int)`);
    await at.superuser.query(
      `CREATE FUNCTION watch() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO public.seen VALUES (tg_tag); END';
       CREATE OPERATOR FAMILY fam USING btree; CREATE OPERATOR CLASS cls FOR TYPE int USING btree FAMILY fam AS OPERATOR 1 <, OPERATOR 3 =, FUNCTION 1 btint4cmp(int, int);
       CREATE FUNCTION c_eq(int, int) RETURNS bool LANGUAGE internal IMMUTABLE STRICT AS 'int4eq';
       CREATE INDEX by_cls ON t (i cls); CREATE SCHEMA elsewhere; CREATE FUNCTION elsewhere.guard() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''no changes''; END';
       CREATE EVENT TRIGGER watching ON ddl_command_end WHEN TAG IN ('CREATE TABLE', 'DROP TABLE') EXECUTE FUNCTION watch();
       CREATE EVENT TRIGGER guarding ON ddl_command_start WHEN TAG IN ('DROP TABLE', 'CREATE INDEX') EXECUTE FUNCTION elsewhere.guard(); ALTER EVENT TRIGGER guarding ENABLE ALWAYS`,
    );
    await backAgain(at, { provided: "INSERT INTO public.seen VALUES ('since')" }, hosted.server.endpoint);
  });

  test("sequences, those of identity columns too, stand where they stood: called or not, cached, cycling, counting down", async () => {
    const at = await live(
      "",
      `CREATE TABLE a (id bigint GENERATED ALWAYS AS IDENTITY, n int); CREATE TABLE b (id int GENERATED BY DEFAULT AS IDENTITY (START 7 INCREMENT 3), n int); CREATE TABLE c (id serial, n int);
       CREATE SEQUENCE down INCREMENT -1 MAXVALUE 50 START 50 CACHE 5 CYCLE; INSERT INTO a (n) VALUES (1), (2); SELECT nextval('down')`,
    );
    await backAgain(at, {
      own: "INSERT INTO a (n) VALUES (3); INSERT INTO b (n) VALUES (1); INSERT INTO c (n) VALUES (1); SELECT nextval('down')",
    });
    expect((await at.owner.query("INSERT INTO a (n) VALUES (3) RETURNING id")).rows).toEqual([{ id: "3" }]);
    expect((await at.owner.query("INSERT INTO b (n) VALUES (3) RETURNING id")).rows).toEqual([{ id: 7 }]);
  });

  test("grants and default privileges are as they were: none comes back, none goes", async () => {
    const at = await live(
      "",
      `ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO anon; ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
       CREATE TABLE open (i int); CREATE TABLE closed (i int); REVOKE ALL ON closed FROM anon; GRANT SELECT (i) ON closed TO other; CREATE SCHEMA own; GRANT USAGE ON SCHEMA own TO anon WITH GRANT OPTION;
       CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'; REVOKE ALL ON SCHEMA public FROM PUBLIC; GRANT USAGE ON SCHEMA public TO other`,
    );
    await backAgain(at, {
      own: `ALTER DEFAULT PRIVILEGES IN SCHEMA public REVOKE SELECT ON TABLES FROM anon; ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO other; ALTER DEFAULT PRIVILEGES IN SCHEMA own GRANT SELECT ON SEQUENCES TO other;
        CREATE TABLE more (i int); GRANT ALL ON closed TO anon; REVOKE ALL ON SCHEMA own FROM anon; GRANT CREATE ON SCHEMA public TO PUBLIC`,
    });
  });

  test("triggers of ours on tables of others, foreign keys to them, and publications of ours", async () => {
    const at = await live(
      `CREATE SCHEMA auth; GRANT USAGE ON SCHEMA auth TO hosted; CREATE TABLE auth.users (id int PRIMARY KEY, email text); GRANT REFERENCES, TRIGGER, SELECT ON auth.users TO hosted;
       CREATE FUNCTION auth.uid() RETURNS int LANGUAGE sql STABLE AS 'SELECT 1'`,
      `CREATE TABLE profile (id int PRIMARY KEY REFERENCES auth.users, who int DEFAULT auth.uid()); CREATE VIEW mine AS SELECT p.* FROM profile p JOIN auth.users USING (id) WHERE p.who = auth.uid();
       CREATE FUNCTION welcome() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO public.profile (id) VALUES (NEW.id); RETURN NEW; END';
       CREATE TRIGGER welcomed AFTER INSERT ON auth.users FOR EACH ROW WHEN (NEW.id > 0) EXECUTE FUNCTION welcome();
       ALTER TABLE profile ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON profile USING (id = auth.uid()); CREATE TABLE untold (i int); CREATE PUBLICATION told FOR TABLE profile (id)`,
    );
    await at.superuser.query("INSERT INTO auth.users VALUES (1, 'a'), (2, 'b')");
    await backAgain(at, {
      own: `ALTER PUBLICATION told ADD TABLE untold; CREATE OR REPLACE FUNCTION welcome() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; DELETE FROM profile WHERE id = 2;
        CREATE FUNCTION gone() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN OLD; END'; CREATE TRIGGER gone AFTER DELETE ON auth.users FOR EACH ROW EXECUTE FUNCTION gone()`,
    });
  });

  test("rows of an extension's own tables stay as they are", async () => {
    const at = await live(
      `CREATE EXTENSION tablefunc; CREATE TABLE public.settings (name text); ALTER EXTENSION tablefunc ADD TABLE public.settings;
       UPDATE pg_extension SET extconfig = ARRAY['public.settings'::regclass::oid], extcondition = ARRAY[''] WHERE extname = 'tablefunc'; INSERT INTO public.settings VALUES ('provided')`,
      "CREATE TABLE t (i int)",
    );
    await backAgain(at, { own: "INSERT INTO t VALUES (1)" });
  });

  test("large objects, by number and content", async () => {
    const at = await live(
      "",
      "CREATE TABLE docs (id int, body oid); INSERT INTO docs VALUES (1, lo_from_bytea(0, 'before')), (2, lo_from_bytea(0, 'kept'))",
    );
    await backAgain(at, {
      own: "SELECT lo_put(body, 0, 'AFTER!') FROM docs WHERE id = 1; SELECT lo_unlink(body) FROM docs WHERE id = 2; INSERT INTO docs VALUES (3, lo_from_bytea(0, 'new'))",
    });
    const { rows } = await at.owner.query<{ body: string }>("SELECT convert_from(lo_get(body), 'UTF8') AS body FROM docs ORDER BY id");
    expect(rows.map(({ body }) => body)).toEqual(["before", "kept"]);
  });
});

describe.skipIf(missing !== null)("what the driver in-place refuses by name", { timeout: 120_000 }, () => {
  beforeAll(async () => {
    hosted = await startHosted();
    scratch = await startServer();
    folder = await mkdtemp(join(tmpdir(), "backout-refused-"));
    const admin = await hosted.as("backout", hosted.server.endpoint.password!, "postgres");
    await admin.query("CREATE ROLE anon; CREATE ROLE other LOGIN");
  }, 120_000);
  afterAll(async () => {
    await hosted.stop();
    await scratch.remove();
    await rm(folder, { recursive: true, force: true });
  });

  test("what belongs to others and needs something of ours: a foreign key, a view, a table's membership in a publication, an event trigger", async () => {
    const at = await live(
      "CREATE SCHEMA auth; CREATE SCHEMA AUTHORIZATION other",
      "CREATE TABLE t (id int PRIMARY KEY); CREATE FUNCTION w() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'",
    );
    await at.superuser.query(
      "CREATE TABLE auth.theirs (t int REFERENCES public.t); CREATE VIEW auth.seen AS SELECT * FROM public.t; CREATE PUBLICATION theirs FOR TABLE public.t; CREATE EVENT TRIGGER watching ON sql_drop EXECUTE FUNCTION public.w()",
    );
    const said = await refused(at);
    expect(said).toContain("constraint theirs_t_fkey on table auth.theirs needs table t");
    expect(said).toContain("view auth.seen needs table t");
    expect(said).toContain('table t is in publication "theirs" of another role');
    expect(said).toContain("event trigger watching needs function w()");
    expect(said).toMatch(/Nothing was changed$/);
  });

  test("a trigger on a table of others that this role could not make again", async () => {
    const at = await live(
      "CREATE SCHEMA auth; CREATE TABLE auth.users (id int)",
      "CREATE FUNCTION w() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
    );
    await at.superuser.query("CREATE TRIGGER made AFTER INSERT ON auth.users FOR EACH ROW EXECUTE FUNCTION public.w()");
    expect(await refused(at)).toContain("trigger made on table auth.users needs function w()");
  });

  test("objects and large objects of others among ours, and what only a superuser makes", async () => {
    const at = await live(
      "",
      "CREATE TABLE t (id int); GRANT CREATE ON SCHEMA public TO other; GRANT SELECT ON t TO anon WITH GRANT OPTION",
    );
    await at.superuser.query(
      `SET ROLE other; CREATE TYPE public.theirs AS ENUM ('a'); RESET ROLE; SELECT lo_create(0);
       CREATE OPERATOR FAMILY public.fam USING btree; ALTER OPERATOR FAMILY public.fam USING btree OWNER TO hosted; CREATE FUNCTION public.c() RETURNS int LANGUAGE internal AS 'pg_backend_pid'; ALTER FUNCTION public.c() OWNER TO hosted;
       SET ROLE anon; GRANT SELECT ON public.t TO other; RESET ROLE`,
    );
    const said = await refused(at);
    expect(said).toContain("type theirs belongs to a role this one is no member of");
    expect(said).toContain('1 large object(s) belong to role "backout"');
    expect(said).toContain("operator family fam for access method btree can be made again by a superuser only");
    expect(said).toContain("function c() can be made again by a superuser only (functions in this language)");
    expect(said).toContain("table t can be made again by a superuser only (grants in another role's name)");
  });

  test("more tables than the server has locks for", async () => {
    const at = await live(
      "",
      "DO $$ BEGIN FOR i IN 1..900 LOOP EXECUTE format('CREATE TABLE t%s (id serial PRIMARY KEY, name text)', i); IF i % 100 = 0 THEN COMMIT; END IF; END LOOP; END $$",
    );
    expect(await refused(at)).toMatch(
      /takes about \d+ locks, and the server has room for 6400: set max_locks_per_transaction to at least \d+ \(now 64\)/,
    );
  });

  test("a database of somebody else's, and a snapshot that needs what is gone", async () => {
    const at = await live("CREATE EXTENSION citext", "CREATE TABLE ci (email citext)");
    await at.superuser.end();
    await closeInPlace(at.owner);
    const facts = await takeDump({ client: at.owner, endpoint: hosted.endpoint }, join(folder, "needs"));
    await at.owner.query("DROP TABLE ci");
    at.superuser = await hosted.as("backout", hosted.server.endpoint.password!, at.name);
    await at.superuser.query("DROP EXTENSION citext");
    await expect(refuseUnfitting(at.owner, facts)).rejects.toThrow('the snapshot needs extension "citext", which is not installed');
    await at.superuser.query(`ALTER DATABASE ${at.name} OWNER TO other`);
    expect(await refused(at)).toContain("this role does not own the database");
  });

  test("a subscription", async () => {
    const at = await live();
    await at.superuser.query(
      "CREATE SUBSCRIPTION far CONNECTION 'dbname=none' PUBLICATION p WITH (connect = false, slot_name = NONE, enabled = false)",
    );
    expect(await refused(at)).toContain('subscription "far" writes into this database');
    await at.superuser.query("DROP SUBSCRIPTION far");
  });

  test("a column whose type lies in a schema of others", async () => {
    const at = await live(
      "CREATE SCHEMA auth; GRANT USAGE ON SCHEMA auth TO hosted; CREATE TYPE auth.level AS ENUM ('a')",
      "CREATE TABLE t (level auth.level)",
    );
    const { foreignTypes } = await readSurroundings(at.owner, await readExtent(at.owner));
    expect(foreignTypes).toEqual(["t.level (auth.level)"]);
    await expect(refuseUnreadable(at.name, { extensions: [{ name: "of_nobody", schema: "public" }], foreignTypes })).rejects.toThrow(
      /something of ours needs extension "of_nobody".*column t\.level \(auth\.level\) is of a type in somebody else's schema/,
    );
  });
});
