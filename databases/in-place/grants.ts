/** Grants on schemas and default privileges: brought back exactly, and kept from touching what a restore makes. */
import type { Client } from "pg";
import { quote } from "../shared/identifiers.ts";

export interface Grant {
  /** Null: PUBLIC. */
  grantee: string | null;
  privilege: string;
  /** Whether the grantee may pass it on. */
  grantable: boolean;
}

export interface SchemaFacts {
  name: string;
  owner: string;
  grants: Grant[];
}

export interface DefaultPrivileges {
  /** Whose new objects they are for. */
  role: string;
  /** Null: in every schema. */
  schema: string | null;
  /** `TABLES`, `SEQUENCES`, `FUNCTIONS`, `TYPES`, `SCHEMAS` */
  of: string;
  grants: Grant[];
  /** What they are where nobody has set any. */
  unset: Grant[];
}

const GRANTS = (acl: string): string =>
  `coalesce((SELECT json_agg(json_build_object('grantee', r.rolname, 'privilege', a.privilege_type, 'grantable', a.is_grantable) ORDER BY r.rolname, a.privilege_type, a.is_grantable)
    FROM aclexplode(${acl}) a LEFT JOIN pg_roles r ON r.oid = a.grantee), '[]')`;

/** Those of `schemas` that this role may grant on. */
export async function readSchemas(client: Client, schemas: readonly string[]): Promise<SchemaFacts[]> {
  const { rows } = await client.query<SchemaFacts>(
    `SELECT n.nspname AS name, pg_get_userbyid(n.nspowner) AS owner, ${GRANTS("coalesce(n.nspacl, acldefault('n', n.nspowner))")} AS grants
     FROM pg_namespace n WHERE n.nspname = ANY ($1) AND pg_has_role(current_user, n.nspowner, 'MEMBER') ORDER BY 1`,
    [schemas],
  );
  return rows;
}

/** Default privileges of roles this one is a member of. */
export async function readDefaultPrivileges(client: Client): Promise<DefaultPrivileges[]> {
  const { rows } = await client.query<DefaultPrivileges>(
    `SELECT pg_get_userbyid(d.defaclrole) AS role, n.nspname AS schema,
       CASE d.defaclobjtype WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES' WHEN 'f' THEN 'FUNCTIONS' WHEN 'T' THEN 'TYPES' ELSE 'SCHEMAS' END AS of,
       ${GRANTS("d.defaclacl")} AS grants,
       CASE WHEN n.oid IS NULL THEN ${GRANTS("acldefault(CASE d.defaclobjtype WHEN 'S' THEN 's' ELSE d.defaclobjtype END, d.defaclrole)")} ELSE '[]' END AS unset
     FROM pg_default_acl d LEFT JOIN pg_namespace n ON n.oid = d.defaclnamespace
     WHERE pg_has_role(current_user, d.defaclrole, 'MEMBER') AND n.nspname IS DISTINCT FROM 'backout_state' ORDER BY 1, 2 NULLS FIRST, 3`,
  );
  return rows;
}

/** Whatever a schema's grants were: afterwards they are these. @param others roles that were given something meanwhile */
export function schemaGrantStatements({ name, owner, grants }: SchemaFacts, now: readonly Grant[], others: readonly string[]): string[] {
  const on = `ON SCHEMA ${quote(name)}`;
  const holders = new Set([null, owner, ...others, ...now.map(({ grantee }) => grantee)]);
  return [
    ...[...holders].map((grantee) => `REVOKE ALL ${on} FROM ${named(grantee)} CASCADE`),
    ...grants.map(
      ({ grantee, privilege, grantable }) => `GRANT ${privilege} ${on} TO ${named(grantee)}${grantable ? " WITH GRANT OPTION" : ""}`,
    ),
  ];
}

/** What is made between the two gets what nobody has set. */
export function withoutDefaults(
  now: readonly DefaultPrivileges[],
  wanted: readonly DefaultPrivileges[],
): { before: string[]; after: string[] } {
  return {
    before: now.flatMap((one) => changeStatements(one, one.grants, one.unset)),
    after: wanted.flatMap((one) => changeStatements(one, one.unset, one.grants)),
  };
}

function changeStatements({ role, schema, of }: DefaultPrivileges, from: readonly Grant[], to: readonly Grant[]): string[] {
  const alter = `ALTER DEFAULT PRIVILEGES FOR ROLE ${quote(role)}${schema === null ? "" : ` IN SCHEMA ${quote(schema)}`}`;
  const key = (grant: Grant): string => JSON.stringify([grant.grantee, grant.privilege, grant.grantable]);
  const [has, wants] = [new Set(from.map(key)), new Set(to.map(key))];
  return [
    ...from
      .filter((grant) => !wants.has(key(grant)))
      .map(({ grantee, privilege }) => `${alter} REVOKE ${privilege} ON ${of} FROM ${named(grantee)}`),
    ...to
      .filter((grant) => !has.has(key(grant)))
      .map(
        ({ grantee, privilege, grantable }) =>
          `${alter} GRANT ${privilege} ON ${of} TO ${named(grantee)}${grantable ? " WITH GRANT OPTION" : ""}`,
      ),
  ];
}

function named(grantee: string | null): string {
  return grantee === null ? "PUBLIC" : quote(grantee);
}
