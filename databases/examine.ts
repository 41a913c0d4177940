/** What the server of a stack is and what the declared driver needs there. Changes nothing. */
import type { Client } from "pg";
import type { Inspection } from "./postgres/inspection.ts";
import { endpointOf, liveName, type Site } from "../config/site.ts";
import type { SystemDefinition } from "../config/system/definition.ts";
import { inspectionOf } from "./registry.ts";

export interface Examined {
  /** Version of the server, e.g. `18.4`. */
  version: string;
  /** Role that backout works as. */
  user: string;
  /** Version of the client tools that the driver uses; null: it uses none. */
  tools: string | null;
  /** Why the driver cannot work, one sentence each. */
  driver: string[];
  /** Statements that give the role what it lacks, each once. */
  rights: string[];
}

/** @throws UnreachableError */
export async function examineServer(site: Site, definition: SystemDefinition): Promise<Examined> {
  const { withSession } = await import("./postgres/connection.ts");
  const { findClientTools } = await import("./postgres/drivers/client-tools.ts");
  const { driverFor } = await import("./postgres/engine/drivers.ts");
  const { rightsNeeded } = await import("./postgres/engine/foreign.ts");
  const { inspect } = await import("./postgres/inspection.ts");
  const endpoint = endpointOf(site);
  const driver = site.server?.driver;
  const inPlace = driver === "in-place";
  const databases = Object.keys(definition.databases).filter((database) => definition.databases[database]!.engine === "postgres");
  const lives = databases.map((database) => liveName(site, database));
  const rightsIn = async (database: string): Promise<string[]> =>
    withSession(endpoint, database, async (client) => rightsNeeded(endpoint.user, await inspect(client), inPlace));
  const asOwner = async (client: Client): Promise<Inspection> => {
    const found = await inspect(client);
    return { ...found, may: { ...found.may, asOwner: true } };
  };
  return withSession(endpoint, inPlace ? lives[0]! : "postgres", async (client) => {
    const { rows } = await client.query<{ version: string; major: number }>(
      "SELECT current_setting('server_version') AS version, current_setting('server_version_num')::int / 10000 AS major",
    );
    const { version, major } = rows[0]!;
    const there = await client.query<{ name: string }>(
      "SELECT datname AS name FROM pg_database WHERE datname = ANY ($1) AND datallowconn",
      [lives],
    );
    const reasons: string[] = [];
    const trying = async <T>(work: Promise<T>): Promise<T | null> =>
      work.catch((error: unknown) => {
        reasons.push((error as Error).message);
        return null;
      });
    if (driver === "template" || driver === "dump") await trying(driverFor(site, client, driver).check());
    const tools = driver === "template" ? null : driver === "dump" && reasons.length > 0 ? null : await trying(findClientTools(major));
    const at = { site, definition, state: null };
    const existing = databases.filter((database) => there.rows.some(({ name }) => name === liveName(site, database)));
    for (const database of existing) await trying((await inspectionOf(at, database)).refuseUnfenceable(at, [database]));
    // What is not made yet will be the stack's own.
    const own = inPlace ? [] : rightsNeeded(endpoint.user, await asOwner(client), false);
    const rights = await Promise.all(there.rows.map(({ name }) => rightsIn(name)));
    return {
      version,
      user: endpoint.user,
      tools: tools?.version ?? null,
      driver: [...new Set(reasons)],
      rights: [...new Set([...own, ...rights.flat()])],
    };
  });
}
