/** The one place where identifiers are quoted, and where names of tables are read and written. */

export function quote(identifier: string): string {
  return `"${identifier.replaceAll('"', '""')}"`;
}

export interface TableName {
  schema: string;
  table: string;
}

/** A name that is not one table's. */
export class TableNameError extends Error {
  /** The name as it was given. */
  readonly given: string;
  constructor(given: string) {
    super(
      `${JSON.stringify(given)} is no name of a table: write table or schema.table, and a part that holds a dot or a quote in double quotes, as SQL does ("audit.log", reports."2026.q1")`,
    );
    this.name = "TableNameError";
    this.given = given;
  }
}

const PART = String.raw`(?:"((?:[^"]|"")+)"|([^".]+))`;
const NAME = new RegExp(`^${PART}(?:\\.${PART})?$`, "s");

/**
 * `table` is in `public`, `schema.table` elsewhere. A part in double quotes is read as SQL reads it; any other stands for itself, capitals included.
 * @throws TableNameError
 * @example parseTable('reports."2026.q1"') // { schema: "reports", table: "2026.q1" }
 */
export function parseTable(name: string): TableName {
  const found = NAME.exec(name);
  if (found === null) throw new TableNameError(name);
  const [, quotedFirst, bareFirst, quotedLast, bareLast] = found;
  const part = (quoted: string | undefined, bare: string | undefined): string | undefined => quoted?.replaceAll('""', '"') ?? bare;
  const [first, last] = [part(quotedFirst, bareFirst)!, part(quotedLast, bareLast)];
  return last === undefined ? { schema: "public", table: first } : { schema: first, table: last };
}

/** The one name of a table: different tables never share it, and `parseTable` reads it back. */
export function formatTable({ schema, table }: TableName): string {
  return schema === "public" ? formatPart(table) : `${formatPart(schema)}.${formatPart(table)}`;
}

function formatPart(part: string): string {
  return /[."]/.test(part) ? quote(part) : part;
}

/** A name as somebody wrote it (`public.orders`, `"orders"`) in its one form (`orders`). @throws TableNameError */
export function canonicalTable(name: string): string {
  return formatTable(parseTable(name));
}

/** A table's name, quoted for a statement. @throws TableNameError */
export function qualified(table: string): string {
  const { schema, table: name } = parseTable(table);
  return `${quote(schema)}.${quote(name)}`;
}

/** As `formatTable`, computed by the server. Both are SQL expressions of type name or text. */
export function tableNameSql(schema: string, table: string): string {
  return `CASE ${schema} WHEN 'public' THEN ${partSql(table)} ELSE ${partSql(schema)} || '.' || ${partSql(table)} END`;
}

/** One part of a dotted name, in double quotes where it holds a dot or a quote. */
export function partSql(part: string): string {
  return `CASE WHEN ${part} ~ '[."]' THEN '"' || replace(${part}::text, '"', '""') || '"' ELSE ${part}::text END`;
}
