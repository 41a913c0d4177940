/** Which engine a database has. An engine is loaded when it is first asked for, and of it only the part that is. */
import type { Actions, Adoption, Constraints, Copies, Data, DatabaseEngine, Fence, InspectContext, Inspection } from "./engine.ts";

type Place = Pick<InspectContext, "site" | "definition">;

const ENGINES = {
  postgres: async (): Promise<DatabaseEngine> => (await import("./postgres/engine/engine.ts")).postgres,
  "in-place": async (): Promise<DatabaseEngine> => (await import("./in-place/engine/engine.ts")).inPlace,
  sqlite: async (): Promise<DatabaseEngine> => (await import("./sqlite/engine/engine.ts")).sqlite,
};

function nameOf({ site, definition }: Place, database: string): keyof typeof ENGINES {
  const engine = definition.databases[database]?.engine;
  if (engine === undefined) throw new Error(`${definition.name} has no database ${database}`);
  return engine === "postgres" && site.server?.driver === "in-place" ? "in-place" : engine;
}

export async function engineOf(at: Place, database: string): Promise<DatabaseEngine> {
  return ENGINES[nameOf(at, database)]();
}

export async function inspectionOf(at: Place, database: string): Promise<Inspection> {
  return (await engineOf(at, database)).inspect;
}

export async function fenceOf(at: Place, database: string): Promise<Fence> {
  return (await engineOf(at, database)).fence();
}

export async function copiesOf(at: Place, database: string): Promise<Copies> {
  return (await engineOf(at, database)).copies();
}

export async function dataOf(at: Place, database: string): Promise<Data> {
  return (await engineOf(at, database)).data();
}

export async function adoptionOf(at: Place, database: string): Promise<Adoption> {
  return (await engineOf(at, database)).adoption();
}

/** @throws where the engine cannot change constraints */
export async function constraintsOf(at: Place, database: string): Promise<Constraints> {
  const { constraints } = await engineOf(at, database);
  if (constraints === undefined) throw new Error(`${database} is a SQLite file: backout changes constraints of PostgreSQL databases only`);
  return constraints();
}

/** @throws where the engine has none */
export async function actionsOf(at: Place, database: string): Promise<Actions> {
  const { actions } = await engineOf(at, database);
  if (actions === undefined) throw new Error(`${database} is a SQLite file: actions are for PostgreSQL databases only`);
  return actions();
}

/** The engines of a system, each with its databases. */
export async function enginesOf(at: Place): Promise<{ engine: DatabaseEngine; databases: string[] }[]> {
  const groups = Map.groupBy(Object.keys(at.definition.databases), (database) => nameOf(at, database));
  return Promise.all([...groups].map(async ([name, databases]) => ({ engine: await ENGINES[name](), databases })));
}

/** Loads all of the engines of a system: an update that changes something needs it soon. */
export async function loadEngines(at: Place): Promise<void> {
  for (const { engine } of await enginesOf(at)) await Promise.all([engine.fence(), engine.copies(), engine.data()]);
}
