/** What would hinder a restore in place, by name, found before anything is stopped: what it cannot rebuild exactly is refused. */
import type { Client } from "pg";
import { DriverRefusedError } from "./errors.ts";
import { readExtent, type Extent } from "./extent.ts";
import { amongOwn, foreignObjects, hangingObjects, ownedCount, type Hanging } from "./objects.ts";
import type { Surroundings } from "./surroundings.ts";

/** Whatever would be dumped and could not be brought back, of the database as it is. @throws DriverRefusedError */
export async function refuseUnrestorable(client: Client): Promise<void> {
  const { rows } = await client.query<{ name: string; superuser: boolean; owner: boolean }>(
    `SELECT d.datname AS name, r.rolsuper AS superuser, pg_has_role(current_user, d.datdba, 'MEMBER') AS owner
     FROM pg_database d, pg_roles r WHERE d.datname = current_database() AND r.rolname = current_user`,
  );
  const { name, superuser, owner } = rows[0]!;
  const extent = await readExtent(client);
  const reasons = [
    ...(owner ? [] : ["this role does not own the database, and only its owner may close it: ALTER DATABASE … OWNER TO this role"]),
    ...(await foreignReasons(client, extent)),
    ...(await hangingReasons(client, extent, superuser)),
    ...(superuser ? [] : await superuserReasons(client, extent)),
    ...(await largeObjectReasons(client)),
    ...(await publicationReasons(client, extent)),
    ...(await subscriptionReasons(client)),
    ...(await lockReasons(client, extent)),
  ];
  if (reasons.length > 0) throw new DriverRefusedError(name, reasons);
}

/** Whatever a dump needs around it and the database does not have. @throws DriverRefusedError */
export async function refuseUnfitting(client: Client, held: Surroundings & Extent): Promise<void> {
  const { rows } = await client.query<{ name: string; kind: string; missing: string }>(
    `SELECT current_database() AS name, w.kind, w.name AS missing FROM unnest($1::text[], $2::text[]) w (kind, name) WHERE CASE w.kind
       WHEN 'extension' THEN NOT EXISTS (SELECT FROM pg_extension WHERE extname = w.name)
       WHEN 'server' THEN NOT EXISTS (SELECT FROM pg_foreign_server WHERE srvname = w.name)
       WHEN 'role' THEN NOT EXISTS (SELECT FROM pg_roles WHERE rolname = w.name)
       WHEN 'table' THEN to_regclass(w.name) IS NULL OR NOT has_table_privilege(to_regclass(w.name), 'TRIGGER')
       WHEN 'schema' THEN EXISTS (SELECT FROM pg_namespace WHERE nspname = w.name AND nspname <> 'public' AND NOT pg_has_role(current_user, nspowner, 'MEMBER'))
       ELSE EXISTS (SELECT FROM pg_publication WHERE pubname = w.name AND NOT pg_has_role(current_user, pubowner, 'MEMBER')) END`,
    parallel([
      ...held.extensions.map(({ name }) => ["extension", name] as const),
      ...held.servers.map((name) => ["server", name] as const),
      ...held.roles.map((name) => ["role", name] as const),
      ...held.triggers.map(({ table }) => ["table", table] as const),
      ...held.schemas.map((name) => ["schema", name] as const),
      ...held.publications.map((name) => ["publication", name] as const),
    ]),
  );
  if (rows.length === 0) return;
  throw new DriverRefusedError(
    rows[0]!.name,
    rows.map(({ kind, missing }) => unfitting(kind, missing)),
  );
}

function parallel(pairs: (readonly [string, string])[]): [string[], string[]] {
  return [pairs.map(([kind]) => kind), pairs.map(([, name]) => name)];
}

function unfitting(kind: string, name: string): string {
  switch (kind) {
    case "extension":
      return `the snapshot needs extension "${name}", which is not installed: CREATE EXTENSION "${name}" first`;
    case "server":
      return `the snapshot's foreign tables need server "${name}", which is gone: CREATE SERVER "${name}" first`;
    case "role":
      return `role "${name}", which owns or may use something in the snapshot, is gone: CREATE ROLE "${name}" first`;
    case "table":
      return `the snapshot has a trigger on table ${name}, which is gone or on which this role may make none: GRANT TRIGGER ON ${name} first`;
    case "schema":
      return `schema "${name}" of the snapshot belongs to a role this one is no member of now`;
    default:
      return `the snapshot's tables are in publication "${name}", which belongs to a role this one is no member of now`;
  }
}

async function foreignReasons(client: Client, { schemas }: Extent): Promise<string[]> {
  const foreign = await foreignObjects(client, schemas);
  return foreign.map(
    (name) => `${name} belongs to a role this one is no member of: give it to the owner of the rest, or move it to a schema of its own`,
  );
}

async function hangingReasons(client: Client, { schemas }: Extent, superuser: boolean): Promise<string[]> {
  const hanging = await hangingObjects(client, schemas);
  const triggers = await client.query<{ oid: number }>(
    "SELECT oid FROM pg_trigger WHERE oid = ANY ($1) AND tgenabled = 'O' AND NOT tgisinternal AND has_table_privilege(tgrelid, 'TRIGGER')",
    [hanging.map(({ oid }) => oid)],
  );
  const again = new Set(triggers.rows.map(({ oid }) => oid));
  const carried = ({ catalog, oid }: Hanging): boolean =>
    (catalog === "pg_trigger" && again.has(oid)) || (catalog === "pg_event_trigger" && superuser);
  return hanging
    .filter((one) => !carried(one))
    .map(
      ({ name, on }) =>
        `${name} needs ${on}: it would go with it and cannot be made again by this role; drop it first, or move what it needs to a schema of its owner's`,
    );
}

/** Kinds that only a superuser makes. */
async function superuserReasons(client: Client, { schemas }: Extent): Promise<string[]> {
  const rows = await amongOwn<{ name: string; why: string }>(
    client,
    schemas,
    `SELECT pg_describe_object(r.classid, r.objid, 0) AS name, CASE WHEN p.oid IS NOT NULL AND p.proleakproof THEN 'leakproof functions' WHEN p.oid IS NOT NULL THEN 'functions in this language' ELSE 'this kind of object' END AS why
     FROM roots r LEFT JOIN pg_proc p ON r.classid = 'pg_proc'::regclass AND p.oid = r.objid LEFT JOIN pg_language l ON l.oid = p.prolang LEFT JOIN pg_type t ON r.classid = 'pg_type'::regclass AND t.oid = r.objid
     WHERE r.classid IN ('pg_opclass'::regclass, 'pg_opfamily'::regclass, 'pg_ts_parser'::regclass, 'pg_ts_template'::regclass) OR t.typtype = 'b'
       OR p.proleakproof OR (p.prokind <> 'a' AND (NOT l.lanpltrusted OR NOT has_language_privilege(l.oid, 'USAGE')))
     UNION ALL
     SELECT DISTINCT pg_describe_object(w.classid, w.objid, 0), 'grants in another role''s name'
     FROM owned w JOIN (
       SELECT 'pg_class'::regclass::oid AS classid, oid, relowner AS owner, relacl AS acl FROM pg_class
       UNION ALL SELECT 'pg_class'::regclass, a.attrelid, c.relowner, a.attacl FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
       UNION ALL SELECT 'pg_proc'::regclass, oid, proowner, proacl FROM pg_proc
       UNION ALL SELECT 'pg_type'::regclass, oid, typowner, typacl FROM pg_type) g ON g.classid = w.classid AND g.oid = w.objid, aclexplode(g.acl) a
     WHERE a.grantor <> g.owner ORDER BY 1`,
  );
  return rows.map(({ name, why }) => `${name} can be made again by a superuser only (${why})`);
}

async function largeObjectReasons(client: Client): Promise<string[]> {
  const { rows } = await client.query<{ name: string; count: number }>(
    `SELECT pg_get_userbyid(lomowner) AS name, count(*)::int AS count FROM pg_largeobject_metadata
     WHERE NOT pg_has_role(current_user, lomowner, 'MEMBER') GROUP BY 1 ORDER BY 1`,
  );
  return rows.map(
    ({ name, count }) =>
      `${count} large object(s) belong to role "${name}", which this one is no member of: ALTER LARGE OBJECT … OWNER TO the owner of the rest`,
  );
}

async function publicationReasons(client: Client, { schemas }: Extent): Promise<string[]> {
  const rows = await amongOwn<{ name: string; table: string }>(
    client,
    schemas,
    `SELECT p.pubname AS name, x.prrelid::regclass::text AS table FROM roots r JOIN pg_publication_rel x ON r.classid = 'pg_class'::regclass AND x.prrelid = r.objid
     JOIN pg_publication p ON p.oid = x.prpubid WHERE NOT pg_has_role(current_user, p.pubowner, 'MEMBER') ORDER BY 1, 2`,
  );
  return rows.map(
    ({ name, table }) =>
      `table ${table} is in publication "${name}" of another role: it would be lost to it; ALTER PUBLICATION … OWNER TO the owner of the table, or take the table out`,
  );
}

async function subscriptionReasons(client: Client): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    "SELECT s.subname AS name FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid WHERE d.datname = current_database() ORDER BY 1",
  );
  return rows.map(({ name }) => `subscription "${name}" writes into this database: it cannot be restored in place; drop it first`);
}

/** Everything that goes and everything that comes is locked until the transaction ends. */
async function lockReasons(client: Client, { schemas }: Extent): Promise<string[]> {
  const going = await ownedCount(client, schemas);
  const coming = await amongOwn<{ count: number }>(
    client,
    schemas,
    "SELECT count(*)::int AS count FROM owned WHERE classid = 'pg_class'::regclass",
  );
  const { rows } = await client.query<{ each: number; sessions: number }>(
    `SELECT current_setting('max_locks_per_transaction')::int AS each,
       current_setting('max_connections')::int + current_setting('max_prepared_transactions')::int AS sessions`,
  );
  const { each, sessions } = rows[0]!;
  const needed = going + coming[0]!.count;
  if (needed <= each * sessions) return [];
  return [
    `a restore in one transaction takes about ${needed} locks, and the server has room for ${each * sessions}: set max_locks_per_transaction to at least ${Math.ceil((needed * 1.1) / sessions)} (now ${each}) and restart the server`,
  ];
}
