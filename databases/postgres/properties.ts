/** What belongs to a database and not to what is in it: `CREATE DATABASE … TEMPLATE` copies none of it, and a rename takes it along. */
import pg from "pg";
import { quote } from "../shared/identifiers.ts";

export interface DatabaseGrant {
  /** `null`: PUBLIC. */
  grantee: string | null;
  /** `CONNECT`, `CREATE`, `TEMPORARY`; sorted. */
  privileges: string[];
  /** Whether the grantee may pass them on. */
  grantable: boolean;
}

export interface DatabaseSetting {
  /** `null`: for everybody in this database. */
  role: string | null;
  name: string;
  value: string;
}

export interface DatabaseProperties {
  owner: string;
  grants: DatabaseGrant[];
  /** The grants as the catalogue holds them, `null`: those every database begins with, never written out. Absent: only `grants` count. */
  acl?: string | null;
  settings: DatabaseSetting[];
  /** -1: no limit. */
  connectionLimit: number;
  comment: string | null;
  allowConnections: boolean;
  /** Whether everybody who may create databases may copy it. Absent: no. */
  isTemplate?: boolean;
  encoding: string;
  collate: string;
  ctype: string;
  /** `libc`, `icu`, `builtin` */
  provider: string;
  /** ICU or built-in locale. */
  locale: string | null;
  /** Version of the collation the indexes were built with, and the one the server has now: when they differ, indexes on text need REINDEX. */
  collationVersion: { recorded: string | null; actual: string | null };
}

/** What a database was created with and what no ALTER can change differs. */
export class PropertyMismatchError extends Error {
  readonly database: string;
  readonly differences: string[];
  constructor(database: string, differences: string[]) {
    super(`database "${database}" was created differently: ${differences.join("; ")}. Create it again with the right encoding and locale`);
    this.name = "PropertyMismatchError";
    this.database = database;
    this.differences = differences;
  }
}

export class DatabaseMissingError extends Error {
  readonly database: string;
  constructor(database: string) {
    super(`there is no database "${database}" on this server`);
    this.name = "DatabaseMissingError";
    this.database = database;
  }
}

const PROPERTIES_SQL = `
  SELECT pg_get_userbyid(d.datdba) AS owner, d.datconnlimit AS "connectionLimit", d.datallowconn AS "allowConnections",
    d.datistemplate AS "isTemplate", d.datacl::text AS acl,
    shobj_description(d.oid, 'pg_database') AS comment, pg_encoding_to_char(d.encoding) AS encoding, d.datcollate AS collate, d.datctype AS ctype,
    CASE to_jsonb(d) ->> 'datlocprovider' WHEN 'i' THEN 'icu' WHEN 'b' THEN 'builtin' ELSE 'libc' END AS provider,
    coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale') AS locale, to_jsonb(d) ->> 'datcollversion' AS recorded
  FROM pg_database d WHERE d.datname = $1`;

const GRANTS_SQL = `
  SELECT r.rolname AS grantee, array_agg(DISTINCT a.privilege_type::text ORDER BY a.privilege_type::text) AS privileges, a.is_grantable AS grantable
  FROM pg_database d, aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a LEFT JOIN pg_roles r ON r.oid = a.grantee
  WHERE d.datname = $1 AND (a.grantee = 0 OR r.oid IS NOT NULL)
  GROUP BY r.rolname, a.is_grantable ORDER BY r.rolname NULLS FIRST, a.is_grantable`;

const SETTINGS_SQL = `
  SELECT r.rolname AS role, split_part(entry, '=', 1) AS name, substr(entry, strpos(entry, '=') + 1) AS value
  FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase LEFT JOIN pg_roles r ON r.oid = s.setrole, unnest(s.setconfig) entry
  WHERE d.datname = $1 AND (s.setrole = 0 OR r.oid IS NOT NULL) ORDER BY r.rolname NULLS FIRST, name`;

/** @throws DatabaseMissingError */
export async function readProperties(client: pg.Client, database: string): Promise<DatabaseProperties> {
  const { rows } = await client.query<Omit<DatabaseProperties, "grants" | "settings" | "collationVersion"> & { recorded: string | null }>(
    PROPERTIES_SQL,
    [database],
  );
  const row = rows[0];
  if (row === undefined) throw new DatabaseMissingError(database);
  const { recorded, ...rest } = row;
  const grants = await client.query<DatabaseGrant>(GRANTS_SQL, [database]);
  const settings = await client.query<DatabaseSetting>(SETTINGS_SQL, [database]);
  return {
    ...rest,
    grants: grants.rows,
    settings: settings.rows,
    collationVersion: { recorded, actual: await actualCollationVersion(client, database) },
  };
}

async function actualCollationVersion(client: pg.Client, database: string): Promise<string | null> {
  const known = await client.query("SELECT 1 FROM pg_proc WHERE proname = 'pg_database_collation_actual_version'");
  if (known.rowCount === 0) return null;
  const { rows } = await client.query<{ version: string | null }>(
    "SELECT pg_database_collation_actual_version(oid) AS version FROM pg_database WHERE datname = $1",
    [database],
  );
  return rows[0]?.version ?? null;
}

/**
 * Gives a database these properties, exactly: what it has beyond them is taken away. Atomic, inside a transaction of the caller's or not.
 * @returns the statements that were needed; empty where nothing had to change
 * @throws PropertyMismatchError for encoding and locale, DatabaseMissingError
 */
export async function applyProperties(client: pg.Client, database: string, properties: DatabaseProperties): Promise<string[]> {
  const current = await readProperties(client, database);
  const differences = fixedDifferences(current, properties);
  if (differences.length > 0) throw new PropertyMismatchError(database, differences);
  const all = propertyStatements(database, current, properties);
  // A role that may not write the catalogue grants the same rights, as the owner and in another order.
  const statements = (await isSuperuser(client)) ? all : all.filter((statement) => !statement.startsWith(WRITE_ACL));
  // One simple query is one transaction where the caller has none open.
  if (statements.length > 0) await client.query(statements.join(";\n"));
  return statements;
}

export async function isSuperuser(client: Pick<pg.Client, "query">): Promise<boolean> {
  const { rows } = await client.query<{ super: boolean }>("SELECT rolsuper AS super FROM pg_roles WHERE rolname = current_user");
  return rows[0]?.super === true;
}

export function fixedDifferences(current: DatabaseProperties, wanted: DatabaseProperties): string[] {
  const fixed = ["encoding", "collate", "ctype", "provider", "locale"] as const;
  return fixed.filter((key) => current[key] !== wanted[key]).map((key) => `${key} is ${current[key]}, wanted ${wanted[key]}`);
}

/** The statements that lead from one set of properties to another. */
export function propertyStatements(database: string, current: DatabaseProperties, wanted: DatabaseProperties): string[] {
  const alter = `ALTER DATABASE ${quote(database)}`;
  const statements: string[] = [];
  if (current.owner !== wanted.owner) statements.push(`${alter} OWNER TO ${quote(wanted.owner)}`);
  if (current.owner !== wanted.owner || !sameGrants(current.grants, wanted.grants))
    statements.push(...grantStatements(database, current, wanted));
  if (wanted.acl !== undefined && (statements.length > 0 || current.acl !== wanted.acl))
    statements.push(aclStatement(database, wanted.acl));
  statements.push(...settingStatements(database, current.settings, wanted.settings));
  if (current.connectionLimit !== wanted.connectionLimit) statements.push(`${alter} CONNECTION LIMIT ${wanted.connectionLimit}`);
  if (current.comment !== wanted.comment) {
    statements.push(`COMMENT ON DATABASE ${quote(database)} IS ${wanted.comment === null ? "NULL" : pg.escapeLiteral(wanted.comment)}`);
  }
  if ((current.isTemplate ?? false) !== (wanted.isTemplate ?? false)) statements.push(`${alter} IS_TEMPLATE ${wanted.isTemplate ?? false}`);
  if (current.allowConnections !== wanted.allowConnections) statements.push(`${alter} ALLOW_CONNECTIONS ${wanted.allowConnections}`);
  return statements;
}

export function sameGrants(left: readonly DatabaseGrant[], right: readonly DatabaseGrant[]): boolean {
  const text = (grants: readonly DatabaseGrant[]): string =>
    JSON.stringify(grants.map(({ grantee, privileges, grantable }) => [grantee ?? "", [...privileges].sort(), grantable]).sort());
  return text(left) === text(right);
}

function grantStatements(database: string, current: DatabaseProperties, wanted: DatabaseProperties): string[] {
  const on = `ON DATABASE ${quote(database)}`;
  const name = (grantee: string | null): string => (grantee === null ? "PUBLIC" : quote(grantee));
  // A new owner takes over the old one's grants.
  const holders = new Set([...current.grants.map(({ grantee }) => grantee), null, current.owner, wanted.owner]);
  return [
    ...[...holders].map((grantee) => `REVOKE ALL ${on} FROM ${name(grantee)} CASCADE`),
    ...wanted.grants.map(
      ({ grantee, privileges, grantable }) =>
        `GRANT ${privileges.join(", ")} ${on} TO ${name(grantee)}${grantable ? " WITH GRANT OPTION" : ""}`,
    ),
  ];
}

const WRITE_ACL = "UPDATE pg_catalog.pg_database SET datacl";

/** No GRANT leads back to grants that were never written out, nor to their order or to who granted them. */
function aclStatement(database: string, acl: string | null): string {
  const value = acl === null ? "NULL" : `${pg.escapeLiteral(acl)}::aclitem[]`;
  return `${WRITE_ACL} = ${value} WHERE datname = ${pg.escapeLiteral(database)}`;
}

function settingStatements(database: string, current: DatabaseSetting[], wanted: DatabaseSetting[]): string[] {
  const key = ({ role, name }: DatabaseSetting): string => JSON.stringify([role, name]);
  const alter = (role: string | null): string =>
    role === null ? `ALTER DATABASE ${quote(database)}` : `ALTER ROLE ${quote(role)} IN DATABASE ${quote(database)}`;
  const has = new Map(current.map((setting) => [key(setting), setting]));
  const wants = new Set(wanted.map(key));
  return [
    ...current.filter((setting) => !wants.has(key(setting))).map(({ role, name }) => `${alter(role)} RESET ${settingName(name)}`),
    ...wanted
      .filter((setting) => has.get(key(setting))?.value !== setting.value)
      .map(({ role, name, value }) => `${alter(role)} SET ${settingName(name)} TO ${settingValue(name, value)}`),
  ];
}

/** Settings whose stored value is a list of quoted names: as one literal it would become one name. */
const LISTS = new Set([
  "local_preload_libraries",
  "search_path",
  "session_preload_libraries",
  "shared_preload_libraries",
  "temp_tablespaces",
  "unix_socket_directories",
]);

function settingName(name: string): string {
  return name.split(".").map(quote).join(".");
}

export function settingValue(name: string, value: string): string {
  if (!LISTS.has(name.toLowerCase())) return pg.escapeLiteral(value);
  const names = splitNames(value);
  return names.length === 0 ? "''" : names.map((entry) => pg.escapeLiteral(entry)).join(", ");
}

/** `"$user", public` → `$user`, `public` */
export function splitNames(list: string): string[] {
  return [...list.matchAll(/\s*(?:"((?:[^"]|"")*)"|([^",\s][^",]*))\s*(?:,|$)/g)].map(([, quoted, bare]) =>
    quoted !== undefined ? quoted.replaceAll('""', '"') : (bare as string).trim(),
  );
}
