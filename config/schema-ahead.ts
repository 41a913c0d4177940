/**
 * Services that would run, or do run, on a schema newer than their release: the application was rolled back, the database was not. Pure.
 */
import type { DatabaseDefinition, SystemDefinition } from "./system/definition.ts";
import { REFUSES_UNKNOWN } from "./system/ledgers.ts";

/**
 * Newest migration a service's release was made for, by service and database. Only of databases whose newer schema breaks older releases, or may
 * do so because their migration tool refuses revisions that it does not know.
 */
export type RunsOn = Record<string, Record<string, string>>;

/** The newest migrations that the ledger's releases support; undefined if no newer schema breaks them. */
export function runsOn(
  definition: SystemDefinition,
  releases: Record<string, { schema: Record<string, string> }>,
  running: Record<string, string | null>,
): RunsOn | undefined {
  const minding = Object.entries(definition.databases).filter(([, database]) => minds(database));
  if (minding.length === 0) return undefined;
  return Object.fromEntries(
    Object.entries(running).map(([service, release]) => [
      service,
      Object.fromEntries(
        minding.flatMap(([database]) => {
          const newest = release === null ? undefined : releases[release]?.schema[database];
          return newest !== undefined && definition.services[service]?.databases.includes(database) ? [[database, newest]] : [];
        }),
      ),
    ]),
  );
}

function minds({ newerSchema, ledger }: DatabaseDefinition): boolean {
  if (newerSchema !== undefined) return newerSchema === "breaks";
  return ledger === "auto" || REFUSES_UNKNOWN[ledger] !== undefined;
}

/** One line for each service that is older than its database. @param applied migrations, by database; absent: unknown */
export function schemaAhead(definition: SystemDefinition, wanted: RunsOn, applied: Record<string, readonly string[]>): string[] {
  return Object.entries(wanted).flatMap(([service, databases]) =>
    Object.entries(databases).flatMap(([database, newest]) => {
      if (definition.databases[database]?.newerSchema !== "breaks") return [];
      const order = definition.databases[database].migrations.map(({ name }) => name);
      const beyond = order.slice(order.indexOf(newest) + 1).filter((name) => applied[database]?.includes(name));
      if (beyond.length === 0) return [];
      return [
        `${service} is made for ${database} up to ${newest}, which has ${beyond.join(", ")} as well: ` +
          "it was rolled back and the database was not. Roll the database back too, by a scope that restores data or reverts migrations",
      ];
    }),
  );
}
