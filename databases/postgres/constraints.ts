/** Constraints of a table: what the catalogue says of them, and the statements that drop them and create them again. */
import pg, { type Client } from "pg";
import type { ConstraintKind } from "../../config/system/constraint.ts";
import { qualified, quote } from "../shared/identifiers.ts";
import type { FoundConstraint, SavedConstraint } from "../shared/constraints.ts";

const KINDS: Record<string, ConstraintKind> = { c: "check", f: "foreign-key", u: "unique", p: "primary-key", t: "trigger" };

// Columns that only newer servers have are read from the row as JSON.
const FIND = `
  SELECT c.oid::text AS oid, c.contype AS type, c.convalidated AS validated,
    coalesce((to_jsonb(c) ->> 'conenforced')::boolean, true) AND coalesce(t.tgenabled <> 'D', true) AS enforced,
    CASE WHEN t.oid IS NULL THEN pg_get_constraintdef(c.oid) ELSE pg_get_triggerdef(t.oid) END AS definition
  FROM pg_constraint c LEFT JOIN pg_trigger t ON c.contype = 't' AND t.tgconstraint = c.oid
  WHERE c.conrelid = to_regclass($1) AND c.conname = $2`;

/** By exact name, on its table; null where there is none. */
export async function findConstraint(client: Client, table: string, name: string): Promise<FoundConstraint | null> {
  const { rows } = await client.query<{ oid: string; type: string; validated: boolean; enforced: boolean; definition: string }>(FIND, [
    qualified(table),
    name,
  ]);
  const row = rows[0];
  if (row === undefined) return null;
  const { oid, validated, enforced } = row;
  return { oid, kind: KINDS[row.type] ?? "check", definition: bareDefinition(row.definition), validated, enforced };
}

export function bareDefinition(definition: string): string {
  return definition.replace(/(?: NOT VALID| NOT ENFORCED)+$/, "");
}

/** All that is needed to create it again, also where a function or an enumeration that it uses is gone by then. */
export async function saveConstraint(client: Client, found: FoundConstraint): Promise<SavedConstraint> {
  const { rows: functions } = await client.query<{ signature: string; statement: string }>(
    `SELECT p.oid::regprocedure::text AS signature, pg_get_functiondef(p.oid) AS statement
     FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
     WHERE l.lanname IN ('sql', 'plpgsql') AND p.pronamespace <> 'pg_catalog'::regnamespace AND p.oid IN (
       SELECT refobjid FROM pg_depend WHERE classid = 'pg_constraint'::regclass AND objid = $1::oid AND refclassid = 'pg_proc'::regclass
       UNION SELECT tgfoid FROM pg_trigger WHERE tgconstraint = $1::oid AND NOT tgisinternal)
     ORDER BY 1`,
    [found.oid],
  );
  const { rows: enums } = await client.query<{ name: string; labels: string[] }>(
    `SELECT format_type(t.oid, NULL) AS name, array_agg(e.enumlabel::text ORDER BY e.enumsortorder) AS labels
     FROM pg_type t JOIN pg_enum e ON e.enumtypid = t.oid
     WHERE t.oid IN (SELECT refobjid FROM pg_depend WHERE classid = 'pg_constraint'::regclass AND objid = $1::oid AND refclassid = 'pg_type'::regclass)
     GROUP BY t.oid ORDER BY 1`,
    [found.oid],
  );
  const { rows: besides } = await client.query<{ comment: string | null; fires: "ALWAYS" | "REPLICA" | null }>(
    `SELECT CASE WHEN t.oid IS NULL THEN obj_description(c.oid, 'pg_constraint') ELSE obj_description(t.oid, 'pg_trigger') END AS comment,
       CASE t.tgenabled WHEN 'A' THEN 'ALWAYS' WHEN 'R' THEN 'REPLICA' END AS fires
     FROM pg_constraint c LEFT JOIN pg_trigger t ON c.contype = 't' AND t.tgconstraint = c.oid WHERE c.oid = $1::oid`,
    [found.oid],
  );
  const { comment = null, fires = null } = besides[0] ?? {};
  return {
    kind: found.kind,
    definition: found.definition,
    functions,
    enums,
    ...(comment !== null && { comment }),
    ...(fires !== null && { fires }),
  };
}

/** Creates what the rule uses and is gone. What exists stays as it is: it may be newer. @returns what was created. */
export async function restoreNeeds(client: Client, table: string, saved: SavedConstraint): Promise<string[]> {
  const made: string[] = [];
  const owner = await ownerOf(client, table);
  for (const { name, labels } of saved.enums) {
    const { rows } = await client.query<{ there: boolean }>("SELECT to_regtype($1) IS NOT NULL AS there", [name]);
    if (rows[0]?.there === true) continue;
    await client.query(`CREATE TYPE ${name} AS ENUM (${labels.map((label) => client.escapeLiteral(label)).join(", ")})`);
    await client.query(`ALTER TYPE ${name} OWNER TO ${quote(owner)}`);
    made.push(`type ${name}`);
  }
  for (const { signature, statement } of saved.functions) {
    const { rows } = await client.query<{ there: boolean }>("SELECT to_regprocedure($1) IS NOT NULL AS there", [signature]);
    if (rows[0]?.there === true) continue;
    await client.query(statement);
    await client.query(`ALTER FUNCTION ${signature} OWNER TO ${quote(owner)}`);
    made.push(`function ${signature}`);
  }
  return made;
}

export async function ownerOf(client: Client, table: string): Promise<string> {
  const { rows } = await client.query<{ owner: string }>(
    "SELECT pg_get_userbyid(relowner) AS owner FROM pg_class WHERE oid = to_regclass($1)",
    [qualified(table)],
  );
  if (rows[0] === undefined) throw new Error(`there is no table ${table}`);
  return rows[0].owner;
}

export async function isPartitioned(client: Client, table: string): Promise<boolean> {
  const { rowCount } = await client.query("SELECT FROM pg_class WHERE oid = to_regclass($1) AND relkind = 'p'", [qualified(table)]);
  return rowCount === 1;
}

/** Foreign keys of other tables that rest on a UNIQUE or PRIMARY KEY constraint, as `table.name`. */
export async function dependents(client: Client, table: string, name: string): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT f.conrelid::regclass || '.' || f.conname AS name FROM pg_constraint c JOIN pg_constraint f ON f.contype = 'f' AND f.conindid = c.conindid
     WHERE c.conrelid = to_regclass($1) AND c.conname = $2 AND c.contype IN ('u', 'p') ORDER BY 1`,
    [qualified(table), name],
  );
  return rows.map((row) => row.name);
}

export function dropStatement(table: string, name: string, kind: ConstraintKind): string {
  return kind === "trigger"
    ? `DROP TRIGGER ${quote(name)} ON ${qualified(table)}`
    : `ALTER TABLE ${qualified(table)} DROP CONSTRAINT ${quote(name)}`;
}

/** Statements that make a constraint: `concurrent` outside of a transaction first, then `add` in one, then `validate` where rows are looked at apart. */
export interface AddStatements {
  concurrent: string[];
  add: string;
  validate: string | null;
}

/** A definition that backout cannot recreate step by step. */
export class DefinitionError extends Error {
  readonly constraint: string;
  constructor(constraint: string, definition: string) {
    super(`"${definition}" of ${constraint} cannot be recreated by backout: add it by hand, then update the stack again`);
    this.name = "DefinitionError";
    this.constraint = constraint;
  }
}

const KEY = /^(UNIQUE|PRIMARY KEY)( NULLS NOT DISTINCT)? (\([^)]*\))( INCLUDE \([^)]*\))?((?: NOT)? DEFERRABLE.*)?$/;

/** @param partitioned an index over a partitioned table cannot be made beside its users @throws DefinitionError */
export function addStatements(
  table: string,
  name: string,
  { kind, definition, comment, fires }: Pick<SavedConstraint, "kind" | "definition" | "comment" | "fires">,
  partitioned = false,
): AddStatements {
  const target = qualified(table);
  const what = `${kind === "trigger" ? "TRIGGER" : "CONSTRAINT"} ${quote(name)} ON ${target}`;
  const whole = (statement: string): string =>
    [
      statement,
      ...(fires === undefined ? [] : [`ALTER TABLE ${target} ENABLE ${fires} TRIGGER ${quote(name)}`]),
      ...(comment === undefined ? [] : [`COMMENT ON ${what} IS ${pg.escapeLiteral(comment)}`]),
    ].join(";\n");
  if (kind === "trigger") return { concurrent: [], add: whole(definition), validate: null };
  if ((kind === "check" && !/^\s*EXCLUDE\b/i.test(definition)) || kind === "foreign-key")
    return {
      concurrent: [],
      add: whole(`ALTER TABLE ${target} ADD CONSTRAINT ${quote(name)} ${definition} NOT VALID`),
      validate: `ALTER TABLE ${target} VALIDATE CONSTRAINT ${quote(name)}`,
    };
  const parts = KEY.exec(definition);
  if (parts === null) throw new DefinitionError(name, definition);
  const [, type, distinct = "", columns = "", include = "", deferrable = ""] = parts;
  if (partitioned)
    return { concurrent: [], add: whole(`ALTER TABLE ${target} ADD CONSTRAINT ${quote(name)} ${definition}`), validate: null };
  const schema = target.slice(0, target.indexOf(".") + 1);
  return {
    // What an interrupted attempt left is not valid.
    concurrent: [
      `DROP INDEX CONCURRENTLY IF EXISTS ${schema}${quote(name)}`,
      `CREATE UNIQUE INDEX CONCURRENTLY ${quote(name)} ON ${target} ${columns}${include}${distinct}`,
    ],
    add: whole(`ALTER TABLE ${target} ADD CONSTRAINT ${quote(name)} ${type} USING INDEX ${quote(name)}${deferrable}`),
    validate: null,
  };
}
