/** Rows that violate a constraint, found without having it. Reads only. */
import type { Client } from "pg";
import { qualified, quote } from "../shared/identifiers.ts";
import { bareDefinition } from "./constraints.ts";
import { type Violations, type SavedConstraint } from "../shared/constraints.ts";

/** How many violating rows are named. */
const TOLD_ROWS = 10;

/** No condition can be derived from the definition. */
export class ConditionUnknownError extends Error {
  readonly constraint: string;
  constructor(constraint: string, definition: string) {
    super(`which rows violate ${constraint} cannot be derived from "${definition}": give the constraint a \`violates\` in the definition`);
    this.name = "ConditionUnknownError";
    this.constraint = constraint;
  }
}

/** As the server writes it: in double quotes where it holds anything that would end it. */
const NAME = String.raw`(?:"(?:[^"]|"")+"|[^\s",.()]+)`;
const COLUMNS = String.raw`\((${NAME}(?:,\s*${NAME})*)\)`;
const FOREIGN_KEY = new RegExp(String.raw`^FOREIGN KEY ${COLUMNS} REFERENCES (${NAME}(?:\.${NAME})?)\s?${COLUMNS}`);
const KEY = new RegExp(String.raw`^(UNIQUE|PRIMARY KEY)( NULLS NOT DISTINCT)? ${COLUMNS}`);

/**
 * Condition over the row `r` of the table, true where it violates the rule. Of rows that are alike under UNIQUE or PRIMARY KEY all but one do.
 * @throws ConditionUnknownError
 */
export function violationCondition(
  table: string,
  name: string,
  saved: Pick<SavedConstraint, "kind" | "definition">,
  given?: string,
): string {
  if (given !== undefined) return `(${given})`;
  const definition = bareDefinition(saved.definition);
  // NULL passes a CHECK.
  if (saved.kind === "check") {
    const expression = /^CHECK \(([\s\S]*)\)(?: NO INHERIT)?$/.exec(definition)?.[1];
    const alone = / NO INHERIT$/.test(definition) ? ` AND ${own("r", qualified(table))}` : "";
    if (expression !== undefined) return `((${expression}) IS FALSE${alone})`;
    const column = /^NOT NULL (.+?)(?: NO INHERIT)?$/.exec(definition)?.[1];
    if (column !== undefined) return `(r.${column} IS NULL${alone})`;
  }
  const reference = saved.kind === "foreign-key" ? FOREIGN_KEY.exec(definition) : null;
  if (reference !== null && !/ MATCH FULL/.test(definition)) {
    const [columns, other] = [list(reference[1]!), list(reference[3]!)];
    const given_ = columns.map((column) => `r.${column} IS NOT NULL`).join(" AND ");
    const same = columns.map((column, index) => `p.${other[index]!} = r.${column}`).join(" AND ");
    return `(${own("r", qualified(table))} AND ${given_} AND NOT EXISTS (SELECT FROM ${reference[2]!} p WHERE ${same} AND ${own("p", reference[2]!)}))`;
  }
  const key = saved.kind === "unique" || saved.kind === "primary-key" ? KEY.exec(definition) : null;
  if (key !== null) {
    const columns = list(key[3]!);
    const equal = key[2] === undefined ? "=" : "IS NOT DISTINCT FROM";
    const same = columns.map((column) => `o.${column} ${equal} r.${column}`).join(" AND ");
    const empty = key[1] === "PRIMARY KEY" ? `${columns.map((column) => `r.${column} IS NULL`).join(" OR ")} OR ` : "";
    // Places repeat in partitions.
    const other = `EXISTS (SELECT FROM ${qualified(table)} o WHERE ${same} AND ${own("o", qualified(table))} AND (o.tableoid, o.ctid) < (r.tableoid, r.ctid))`;
    return `(${own("r", qualified(table))} AND (${empty}${other}))`;
  }
  throw new ConditionUnknownError(name, definition);
}

/** A key holds for a table and its partitions, never for tables that inherit from it. @param identifier as SQL writes it */
function own(row: string, identifier: string): string {
  const name = `'${identifier.replaceAll("'", "''")}'::regclass`;
  return `(${row}.tableoid = ${name} OR EXISTS (SELECT FROM pg_class WHERE oid = ${name} AND relkind = 'p'))`;
}

function list(columns: string): string[] {
  return columns.match(new RegExp(NAME, "g")) ?? [];
}

export async function findViolations(client: Client, table: string, condition: string): Promise<Violations> {
  const { rows: counted } = await client.query<{ count: number }>(
    `SELECT count(*)::int AS count FROM ${qualified(table)} r WHERE ${condition}`,
  );
  const count = counted[0]?.count ?? 0;
  if (count === 0) return { count, rows: [] };
  const key = await keyColumns(client, table);
  const shown =
    key.length === 0
      ? "r.ctid::text"
      : `jsonb_build_object(${key.map((column) => `${client.escapeLiteral(column)}, r.${quote(column)}`).join(", ")})::text`;
  const { rows } = await client.query<{ row: string }>(
    `SELECT ${shown} AS row FROM ${qualified(table)} r WHERE ${condition} ORDER BY ${key.length === 0 ? "r.ctid" : key.map((column) => `r.${quote(column)}`).join(", ")} LIMIT ${TOLD_ROWS}`,
  );
  return { count, rows: rows.map(({ row }) => row) };
}

async function keyColumns(client: Client, table: string): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT a.attname AS name FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
     WHERE i.indrelid = to_regclass($1) AND i.indisprimary ORDER BY array_position(i.indkey::int2[], a.attnum)`,
    [qualified(table)],
  );
  return rows.map(({ name }) => name);
}
