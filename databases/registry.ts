/** Which engine a database of a definition has. Loaded when asked for. */
import type { SystemDefinition } from "../config/system/definition.ts";
import type { DatabaseEngine } from "./engine.ts";

export async function engineOf(definition: SystemDefinition, database: string): Promise<DatabaseEngine> {
  const engine = definition.databases[database]?.engine;
  if (engine === undefined) throw new Error(`${definition.name} has no database ${database}`);
  return engine === "sqlite" ? (await import("./sqlite/engine/engine.ts")).sqlite : (await import("./postgres/engine/engine.ts")).postgres;
}

/** The engines of a system, each with its databases. */
export async function enginesOf(definition: SystemDefinition): Promise<{ engine: DatabaseEngine; databases: string[] }[]> {
  const groups = Map.groupBy(Object.keys(definition.databases), (database) => definition.databases[database]!.engine);
  return Promise.all([...groups.values()].map(async (databases) => ({ engine: await engineOf(definition, databases[0]!), databases })));
}
