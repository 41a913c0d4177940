/** The objects of a database by name and definition, as recorded before a deployment: what a restore has to bring back besides rows. */
export interface SchemaObjects {
  /** Last value; `null` before the first. */
  sequences: Record<string, string | null>;
  /** `table.constraint` → definition, `NOT VALID` included. */
  constraints: Record<string, string>;
  indexes: Record<string, string>;
  triggers: Record<string, string>;
  policies: Record<string, string>;
  rowSecurity: Record<string, { enabled: boolean; forced: boolean }>;
  /** `rows` is `null` where it was never filled. */
  materializedViews: Record<string, { rows: number | null; populated: boolean }>;
  views: Record<string, string>;
  /** Hash of the definition; a body that the server keeps parsed has no text of its own, so that it is kept as it is shown. */
  functions: Record<string, string>;
  extensions: Record<string, string>;
  /** `table.column` → type, nullability, default. */
  columns: Record<string, string>;
}
