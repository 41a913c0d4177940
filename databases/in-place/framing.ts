/** What stands around a dump's own script in the transaction of a restore: what is dropped before it, and what is restored after it. */
import type { Client } from "pg";
import { quote } from "../shared/identifiers.ts";
import type { InPlaceFacts } from "./dump.ts";
import { readExtent } from "./extent.ts";
import { readDefaultPrivileges, readSchemas, schemaGrantStatements, withoutDefaults, type SchemaFacts } from "./grants.ts";
import { clearStatements } from "./objects.ts";
import { readSurroundings, silencingStatements } from "./surroundings.ts";

export interface Framing {
  before: string[];
  after: string[];
  /** Publications that exist: a restore adds tables to them. */
  publications: string[];
}

/** @param facts of the dump that is brought back. `client`: a session in the database, inside the fence */
export async function framing(client: Client, facts: InPlaceFacts): Promise<Framing> {
  const extent = await readExtent(client);
  const now = await readSurroundings(client, extent);
  const schemas = await readSchemas(client, extent.schemas);
  const defaults = withoutDefaults(await readDefaultPrivileges(client), facts.defaults);
  const besides = [...now.triggers, ...now.eventTriggers].map(({ oid }) => oid);
  const silent = await silencingStatements(client, besides);
  const { rows } = await client.query<{ name: string }>("SELECT pubname AS name FROM pg_publication");
  return {
    before: [
      ...silent.before,
      ...(await clearStatements(client, extent.schemas, besides)),
      ...now.largeObjects.map((oid) => `SELECT pg_catalog.lo_unlink(${oid})`),
      ...defaults.before,
      ...schemaStatements(schemas, facts),
    ],
    after: [
      ...facts.filledViews.map((view) => `REFRESH MATERIALIZED VIEW ${view}`),
      ...facts.forced.map((table) => `ALTER TABLE ${table} FORCE ROW LEVEL SECURITY`),
      ...facts.triggers.map(({ definition }) => definition),
      ...facts.grants.flatMap((wanted) =>
        schemaGrantStatements(wanted, schemas.find(({ name }) => name === wanted.name)?.grants ?? [], ownersIn(wanted.name, facts)),
      ),
      ...(await removedSchemas(client, extent.schemas, facts)).map((schema) => `DROP SCHEMA ${quote(schema)}`),
      ...defaults.after,
      ...facts.eventTriggers.flatMap(({ statements }) => statements),
      ...silent.after,
    ],
    publications: rows.map(({ name }) => name),
  };
}

function ownersIn(schema: string, { owners }: InPlaceFacts): string[] {
  return owners.filter((one) => one.schema === schema).map(({ owner }) => owner);
}

/** Schemas stay where they are, because extensions have objects in them; the owner of an object must be allowed to create it there. */
function schemaStatements(now: readonly SchemaFacts[], facts: InPlaceFacts): string[] {
  return facts.grants.flatMap(({ name, owner }) => {
    const there = now.find((schema) => schema.name === name);
    return [
      ...(there === undefined ? [`CREATE SCHEMA ${quote(name)}`] : []),
      ...(name === "public" ? [] : [`COMMENT ON SCHEMA ${quote(name)} IS NULL`]),
      ...(there?.owner === owner ? [] : [`ALTER SCHEMA ${quote(name)} OWNER TO ${quote(owner)}`]),
      ...ownersIn(name, facts).map((one) => `GRANT USAGE, CREATE ON SCHEMA ${quote(name)} TO ${quote(one)}`),
    ];
  });
}

/** Schemas that came since; one that holds what is none of ours stays. */
async function removedSchemas(client: Client, schemas: readonly string[], facts: InPlaceFacts): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT n.nspname AS name FROM pg_namespace n WHERE n.nspname = ANY ($1)
       AND NOT EXISTS (SELECT FROM pg_extension e WHERE e.extnamespace = n.oid) ORDER BY 1`,
    [schemas.filter((schema) => schema !== "public" && !facts.schemas.includes(schema))],
  );
  return rows.map(({ name }) => name);
}
