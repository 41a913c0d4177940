/** Variables that a service with a `command` gets without being asked. */

/** The variable of each database with its address: `DATABASE_URL` for the only one, else `<NAME>_DATABASE_URL`. */
export function defaultDatabaseVariables(databases: readonly string[]): (readonly [database: string, variable: string])[] {
  if (databases.length === 1) return [[databases[0]!, "DATABASE_URL"]];
  return databases.map((database) => [database, `${database.toUpperCase().replaceAll(/[^A-Z0-9]/g, "_")}_DATABASE_URL`] as const);
}
