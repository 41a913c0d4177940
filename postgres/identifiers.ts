/** The one place where identifiers are quoted. */

export function quote(identifier: string): string {
  return `"${identifier.replaceAll('"', '""')}"`;
}

/** `schema.table` or `table` (of `public`), quoted. */
export function qualified(table: string): string {
  const [schema, name] = table.includes(".") ? (table.split(".", 2) as [string, string]) : ["public", table];
  return `${quote(schema)}.${quote(name)}`;
}
