/** Looks at what is true, touching nothing: the facts a plan is made from. */
import { catalogued, liveLineage, NO_LINEAGE, readySnapshots } from "../control/catalogue.ts";
import { ControlStore, type CatalogueDatabase, type Crossing, type Snapshot } from "../control/store.ts";
import { controlName, endpointOf, liveName, serverHome, type Site } from "../declared/site.ts";
import { UnreachableError, withSession } from "../postgres/connection.ts";
import type { Ledger } from "../postgres/migrations.ts";
import { observeServer } from "../postgres/server.ts";
import type { SystemDefinition } from "../systems/definition.ts";
import { constraintStates } from "./constraint-drift.ts";
import { migrationsOf } from "./migrations.ts";
import type { DatabaseFacts } from "./plan.ts";

export type Reach =
  /** The server answers. */
  | { kind: "reached" }
  /** The embedded server has not been made yet: there is no data to lose. */
  | { kind: "absent" }
  | { kind: "unreachable"; reason: string };

export interface Facts {
  reach: Reach;
  /** Last crossing, whatever became of it. */
  last: Crossing | null;
  lastOpen: Crossing | null;
  snapshots: Snapshot[];
  catalogue: CatalogueDatabase[];
  databases: Record<string, DatabaseFacts>;
}

const NOTHING: Omit<Facts, "reach"> = { last: null, lastOpen: null, snapshots: [], catalogue: [], databases: {} };

/** @param crossing hash of the pins: where they are the ones that are open already, nothing more is looked at. */
export async function look(site: Site, definition: SystemDefinition, crossing?: string): Promise<Facts> {
  if (site.server.embedded && observeServer(serverHome(site)).state === "absent") return { reach: { kind: "absent" }, ...NOTHING };
  let control: ControlStore | null = null;
  try {
    control = await ControlStore.open(endpointOf(site), controlName(site, definition));
    if (control === null) return { reach: { kind: "reached" }, ...NOTHING, databases: await databaseFacts(site, definition, null) };
    const last = await control.lastCrossing();
    if (last !== null && last.crossing === crossing && last.state === "open")
      return { reach: { kind: "reached" }, ...NOTHING, last, lastOpen: last };
    return {
      reach: { kind: "reached" },
      last,
      lastOpen: await control.lastOpenCrossing(),
      snapshots: await readySnapshots(control.client),
      catalogue: await catalogued(control.client),
      databases: await databaseFacts(site, definition, control),
    };
  } catch (error) {
    // A missing password file means that the embedded server is not there yet or is being made.
    if (error instanceof UnreachableError || (error as NodeJS.ErrnoException).code === "ENOENT")
      return { reach: { kind: "unreachable", reason: (error as Error).message }, ...NOTHING };
    throw error;
  } finally {
    await control?.end();
  }
}

/** A crossing that neither opened nor was refused: nothing is known to be as its pins say. */
export function unfinished(last: Crossing | null): boolean {
  return last !== null && last.state !== "open" && last.state !== "refused";
}

async function databaseFacts(
  site: Site,
  definition: SystemDefinition,
  control: ControlStore | null,
): Promise<Record<string, DatabaseFacts>> {
  const facts: Record<string, DatabaseFacts> = {};
  for (const [database, { ledger }] of Object.entries(definition.databases)) {
    const live = liveName(site, database);
    const { exists, lineage } =
      control === null ? { exists: await exists_(site, live), lineage: NO_LINEAGE } : await liveLineage(control.client, live);
    const statuses = exists ? await migrationStatuses(site, definition, database, ledger, live) : [];
    facts[database] = {
      exists,
      lineage,
      applied: statuses.filter(({ status }) => status === "applied" || status === "modified").map(({ name }) => name),
      failed: statuses.filter(({ status }) => status === "failed").map(({ name }) => name),
      ...(await constraintFacts(site, definition, database, live, exists)),
    };
  }
  return facts;
}

async function exists_(site: Site, live: string): Promise<boolean> {
  return withSession(endpointOf(site), "postgres", async (client) => {
    const { rowCount } = await client.query("SELECT 1 FROM pg_database WHERE datname = $1", [live]);
    return rowCount === 1;
  });
}

async function constraintFacts(site: Site, definition: SystemDefinition, database: string, live: string, exists: boolean) {
  if (!exists || !Object.values(definition.constraints ?? {}).some((constraint) => constraint.database === database)) return {};
  try {
    return { constraints: await withSession(endpointOf(site), live, (client) => constraintStates(client, definition, database)) };
  } catch (error) {
    if (error instanceof UnreachableError && ["55000", "3D000", "42501"].includes(error.code)) return {};
    throw error;
  }
}

/** None where the database refuses connections: inside a fence only the step that works there reads the ledger. */
async function migrationStatuses(site: Site, definition: SystemDefinition, database: string, ledger: Ledger, live: string) {
  const { appliedMigrations } = await import("../postgres/migrations.ts");
  try {
    return await withSession(endpointOf(site), live, (client) => appliedMigrations(client, ledger, migrationsOf(definition, database)));
  } catch (error) {
    if (error instanceof UnreachableError && ["55000", "3D000", "42501"].includes(error.code)) return [];
    throw error;
  }
}
