/** Roles and databases of a stack: the owner that migrates, the services' own role, and what each may do. */
import { createHash, createHmac, pbkdf2Sync, randomBytes, timingSafeEqual } from "node:crypto";
import pg from "pg";
import { quote } from "../shared/identifiers.ts";

export interface RoleDeclaration {
  name: string;
  password: string;
  login: boolean;
}

export type Ensured = "already" | "created" | "changed";

/** Makes a role what it is declared to be. The password is sent as a verifier: it is in no server log. */
export async function ensureRole(client: pg.Client, role: RoleDeclaration): Promise<Ensured> {
  const found = await client.query<{ rolcanlogin: boolean; rolcreatedb: boolean }>(
    "SELECT rolcanlogin, rolcreatedb FROM pg_roles WHERE rolname = $1",
    [role.name],
  );
  const current = found.rows[0];
  if (current === undefined) {
    try {
      await client.query(roleStatement("CREATE", role));
      return "created";
    } catch (error) {
      // Somebody else created it between look and create: 42710, or 23505 when both were at it.
      if (!["42710", "23505"].includes((error as { code?: string }).code ?? "")) throw error;
    }
  } else if (current.rolcanlogin === role.login && !current.rolcreatedb && (await hasPassword(client, role))) {
    return "already";
  }
  await client.query(roleStatement("ALTER", role));
  return "changed";
}

/** What is said of a role; null: nothing, or there is none. */
export async function commentOfRole(client: pg.Client, role: string): Promise<string | null> {
  const { rows } = await client.query<{ comment: string | null }>(
    "SELECT shobj_description(oid, 'pg_authid') AS comment FROM pg_roles WHERE rolname = $1",
    [role],
  );
  return rows[0]?.comment ?? null;
}

/** Where this role may not, it stays as it is. */
export async function commentRole(client: pg.Client, role: string, comment: string | null): Promise<void> {
  try {
    await client.query(`COMMENT ON ROLE ${quote(role)} IS ${comment === null ? "NULL" : pg.escapeLiteral(comment)}`);
  } catch (error) {
    if ((error as { code?: string }).code !== "42501") throw error;
  }
}

function roleStatement(verb: "CREATE" | "ALTER", role: RoleDeclaration): string {
  const options = [role.login ? "LOGIN" : "NOLOGIN", "NOCREATEDB", `PASSWORD ${pg.escapeLiteral(scramVerifier(role.password))}`];
  return `${verb} ROLE ${quote(role.name)} ${options.join(" ")}`;
}

/** What the server stores of a password under scram-sha-256 (RFC 5803). */
export function scramVerifier(password: string, salt: Buffer = randomBytes(16), iterations = 4096): string {
  const salted = pbkdf2Sync(password.normalize("NFKC"), salt, iterations, 32, "sha256");
  const hmac = (text: string): Buffer => createHmac("sha256", salted).update(text).digest();
  const storedKey = createHash("sha256").update(hmac("Client Key")).digest("base64");
  return `SCRAM-SHA-256$${iterations}:${salt.toString("base64")}$${storedKey}:${hmac("Server Key").toString("base64")}`;
}

export function verifierMatches(verifier: string, password: string): boolean {
  const parts = /^SCRAM-SHA-256\$(\d+):([^$]+)\$/.exec(verifier);
  if (parts === null) return false;
  const expected = Buffer.from(scramVerifier(password, Buffer.from(parts[2] as string, "base64"), Number(parts[1])));
  const actual = Buffer.from(verifier);
  return expected.length === actual.length && timingSafeEqual(expected, actual);
}

async function hasPassword(client: pg.Client, role: RoleDeclaration): Promise<boolean> {
  // Only a superuser may read verifiers; for anybody else the password is simply set again.
  const readable = await client.query<{ may: boolean }>("SELECT has_table_privilege('pg_catalog.pg_authid', 'SELECT') AS may");
  if (!readable.rows[0]?.may) return false;
  const { rows } = await client.query<{ rolpassword: string | null }>("SELECT rolpassword FROM pg_authid WHERE rolname = $1", [role.name]);
  return rows[0]?.rolpassword != null && verifierMatches(rows[0].rolpassword, role.password);
}

/** Makes a database, or gives an existing one to its declared owner. Not inside a transaction. */
export async function ensureDatabase(client: pg.Client, { name, owner }: { name: string; owner: string }): Promise<Ensured> {
  const { rows } = await client.query<{ owner: string }>("SELECT pg_get_userbyid(datdba) AS owner FROM pg_database WHERE datname = $1", [
    name,
  ]);
  if (rows[0]?.owner === owner) return "already";
  if (rows[0] === undefined) {
    try {
      await client.query(`CREATE DATABASE ${quote(name)} OWNER ${quote(owner)}`);
      return "created";
    } catch (error) {
      if (!["42P04", "23505"].includes((error as { code?: string }).code ?? "")) throw error;
      return "already";
    }
  }
  await client.query(`ALTER DATABASE ${quote(name)} OWNER TO ${quote(owner)}`);
  return "changed";
}

export interface ServicesGrant {
  database: string;
  /** The services' own role. */
  role: string;
  /** Owner of the objects there are and will be. */
  owner: string;
}

/** Owner of the tables of the database that `client` is in, or of most of them; null where there are none. */
export async function ownerOfTables(client: pg.Client): Promise<string | null> {
  const { rows } = await client.query<{ owner: string }>(
    `SELECT pg_get_userbyid(c.relowner)::text AS owner FROM pg_class c
     WHERE c.relnamespace = to_regnamespace('public') AND c.relkind IN ('r', 'p')
       AND NOT EXISTS (SELECT 1 FROM pg_depend e WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e')
     GROUP BY c.relowner ORDER BY count(*) DESC, c.relowner LIMIT 1`,
  );
  return rows[0]?.owner ?? null;
}

/** Whose role makes and changes objects there: in a database that somebody else made, its owner and that of its tables may differ. */
export async function ownerOfObjects(client: pg.Client): Promise<string> {
  const owner = await ownerOfTables(client);
  if (owner !== null) return owner;
  const { rows } = await client.query<{ owner: string }>(
    "SELECT pg_get_userbyid(datdba)::text AS owner FROM pg_database WHERE datname = current_database()",
  );
  return rows[0]!.owner;
}

/**
 * The same, but only where the role has no rights in the database at all: what was taken from it since stays taken. Rights belong to the data, so
 * that a database that was restored is asked itself.
 */
export async function grantServicesOnce(client: pg.Client, grant: ServicesGrant, { connect = true } = {}): Promise<Ensured> {
  if (await hasRights(client, grant)) return "already";
  const statements = servicesGrantStatements(grant).filter((statement) => connect || !statement.startsWith("GRANT CONNECT"));
  await client.query(statements.join(";\n"));
  return "created";
}

export async function grantConnect(client: pg.Client, { database, role }: Pick<ServicesGrant, "database" | "role">): Promise<void> {
  await client.query(`GRANT CONNECT ON DATABASE ${quote(database)} TO ${quote(role)}`);
}

/** Revokes what `grantServices` granted, except for the right to connect. */
export async function revokeServices(client: pg.Client, grant: ServicesGrant): Promise<void> {
  const statements = servicesGrantStatements(grant)
    .filter((statement) => !statement.startsWith("GRANT CONNECT"))
    .map((statement) => statement.replace(/\bGRANT /, "REVOKE ").replace(/ TO (?=[^ ]+$)/, " FROM "));
  await client.query(statements.join(";\n"));
}

/** Takes every right on the schema `public` from a role; one that is not there has none. */
export async function revokeSchema(client: pg.Client, role: string): Promise<void> {
  const { rowCount } = await client.query("SELECT FROM pg_roles WHERE rolname = $1", [role]);
  if (rowCount === 1) await client.query(`REVOKE ALL ON SCHEMA public FROM ${quote(role)}`);
}

/** Drops a role nothing belongs to and nothing was granted to; any other stays. */
export async function dropRole(client: pg.Client, role: string): Promise<"dropped" | "stays"> {
  try {
    await client.query(`DROP ROLE IF EXISTS ${quote(role)}`);
    return "dropped";
  } catch (error) {
    // 2BP01: there is something left of it. 42501: not ours to drop.
    if (!["2BP01", "42501"].includes((error as { code?: string }).code ?? "")) throw error;
    return "stays";
  }
}

/** Whether the role has any right in the database: its schema, its tables, or those to come. */
async function hasRights(client: pg.Client, { role }: ServicesGrant): Promise<boolean> {
  const { rows } = await client.query<{ has: boolean }>(
    `SELECT EXISTS (
       SELECT 1 FROM pg_roles r WHERE r.rolname = $1 AND (
         EXISTS (SELECT 1 FROM pg_namespace n, aclexplode(n.nspacl) a WHERE n.nspname = 'public' AND a.grantee = r.oid)
         OR EXISTS (SELECT 1 FROM pg_default_acl d, aclexplode(d.defaclacl) a WHERE a.grantee = r.oid)
         OR EXISTS (SELECT 1 FROM pg_class c, aclexplode(c.relacl) a WHERE c.relnamespace = to_regnamespace('public') AND a.grantee = r.oid)
       )) AS has`,
    [role],
  );
  return rows[0]?.has === true;
}

/** Lets the services' role read and write rows, and nothing else, also in tables made later by the owner. `client` is a session in the database. */
export async function grantServices(client: pg.Client, grant: ServicesGrant): Promise<void> {
  await client.query(servicesGrantStatements(grant).join(";\n"));
}

function servicesGrantStatements({ database, role, owner }: ServicesGrant): string[] {
  const to = `TO ${quote(role)}`;
  const inSchema = "IN SCHEMA public";
  const defaults = `ALTER DEFAULT PRIVILEGES FOR ROLE ${quote(owner)} ${inSchema} GRANT`;
  return [
    `GRANT CONNECT ON DATABASE ${quote(database)} ${to}`,
    `GRANT USAGE ON SCHEMA public ${to}`,
    `GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES ${inSchema} ${to}`,
    `GRANT USAGE, SELECT, UPDATE ON ALL SEQUENCES ${inSchema} ${to}`,
    `${defaults} SELECT, INSERT, UPDATE, DELETE ON TABLES ${to}`,
    `${defaults} USAGE, SELECT, UPDATE ON SEQUENCES ${to}`,
  ];
}
