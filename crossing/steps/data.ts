/** Brings the data to where the pins say: made, restored, undone, migrated or taken back. All of it inside the fence. */
import { catalogue, catalogued, liveLineage } from "../../control/catalogue.ts";
import { endpointOf, liveName, OWNER_ROLE, secretOf, SERVICES_ROLE, type Site } from "../../declared/site.ts";
import type { Pins } from "../../declared/pins.ts";
import { swapDatabases } from "../../postgres/cut-over.ts";
import { assertFenced, fenceDatabase, sessionInside } from "../../postgres/fence.ts";
import { appliedMigrations, applyMigration, assertCanGoDown, markRolledBack, rollBackMigration } from "../../postgres/migrations.ts";
import { derivedName } from "../../postgres/names.ts";
import { applyProperties } from "../../postgres/properties.ts";
import { ensureDatabase, ensureRole, grantServices } from "../../postgres/roles.ts";
import { connect } from "../../postgres/connection.ts";
import { armedCopy } from "../arming.ts";
import { baseSnapshot } from "../at-risk.ts";
import { migrationsOf } from "../migrations.ts";
import type { DataAction, DatabasePlan, Lineage } from "../plan.ts";
import { savedProperties } from "../properties-record.ts";
import { putProtections } from "../protections.ts";
import { repair } from "../repairs/repair.ts";
import { step, type Run } from "../run.ts";

export interface DataDone {
  lineage: Lineage;
  /** Fence confirmed closed → the database under the live name reachable. Null where nothing was cut over. */
  cutOverMs: number | null;
  quarantine: string | null;
  migrated: { up: string[]; back: string[] };
}

export async function bringData(run: Run, database: string, pins: Pins, plan: DatabasePlan): Promise<DataDone> {
  const live = liveName(run.site, database);
  const { control } = run;
  const crossing = await control.crossing(run.epoch);
  if (crossing?.state === "open")
    return {
      lineage: (await liveLineage(control.client, live)).lineage,
      cutOverMs: null,
      quarantine: null,
      migrated: { up: [], back: [] },
    };
  if (plan.action.kind === "create") {
    await step(run, "data", `make ${database}`, () => make(run, database, live));
    const up = await step(
      run,
      "data",
      `migrate ${database}`,
      () => migrate(run, database, pins, plan, live),
      (done) => done,
    );
    return { lineage: (await liveLineage(control.client, live)).lineage, cutOverMs: null, quarantine: null, migrated: up };
  }
  const fenced = crossing?.plan.fenceData === true;
  const swap =
    plan.action.kind === "none" || plan.action.kind === "repair"
      ? null
      : await step(
          run,
          "data",
          `cut over ${database} to ${showAction(plan.action)}`,
          () => cutOver(run, database, live, plan.action),
          (done) => done,
        );
  const { action } = plan;
  if (action.kind === "repair")
    await step(
      run,
      "data",
      `repair ${database} by ${action.repair}`,
      () => repair(run, database, action),
      (rows) => rows,
    );
  const migrated = fenced
    ? await step(
        run,
        "data",
        `schema of ${database}`,
        () => migrate(run, database, pins, plan, live),
        (done) => done,
      )
    : { up: [], back: [] };
  // What took the place of the restricted data is not restricted; users are still out.
  if (crossing !== null) await putProtections(run, "data", crossing.plan, database);
  return {
    lineage: (await liveLineage(control.client, live)).lineage,
    cutOverMs: swap?.cutOverMs ?? null,
    quarantine: swap?.quarantine ?? null,
    migrated,
  };
}

function showAction(action: DataAction): string {
  return action.kind === "restore" ? `${action.snapshot}@${action.generation}` : action.kind === "undo" ? action.quarantine : action.kind;
}

export async function ensureRoles(site: Site, client: Run["control"]["client"]): Promise<void> {
  await ensureRole(client, { name: OWNER_ROLE, login: false, password: secretOf(site, "database-owner") });
  await ensureRole(client, { name: SERVICES_ROLE, login: true, password: secretOf(site, "database") });
}

async function make(run: Run, database: string, live: string): Promise<void> {
  const { client } = run.control;
  await ensureRoles(run.site, client);
  await ensureDatabase(client, { name: live, owner: OWNER_ROLE });
  await catalogue(client, {
    name: live,
    database,
    role: "live",
    lineage: { snapshot: null, quarantine: null },
    snapshotId: null,
    epoch: run.epoch,
  });
}

async function migrate(
  run: Run,
  database: string,
  pins: Pins,
  plan: DatabasePlan,
  live: string,
): Promise<{ up: string[]; back: string[] }> {
  const { site, definition, control } = run;
  const { ledger } = definition.databases[database]!;
  const known = migrationsOf(definition, database);
  const client =
    plan.action.kind === "create" ? await connect(endpointOf(site), live) : await sessionInside(endpointOf(site), control.client, live);
  try {
    const statuses = await appliedMigrations(client, ledger, known);
    const applied = new Set(statuses.filter(({ status }) => status === "applied" || status === "modified").map(({ name }) => name));
    const needed = known.findIndex(({ name }) => name === pins.needs[database]);
    const up = known.slice(0, needed + 1).filter(({ name }) => !applied.has(name));
    const beyond = known
      .slice(needed + 1)
      .reverse()
      .filter(({ name }) =>
        statuses.some(
          (status) => status.name === name && (status.status === "applied" || status.status === "modified" || status.status === "failed"),
        ),
      );
    const back = plan.back.length > 0 || plan.action.kind === "undo" ? beyond : [];
    for (const migration of up) await applyMigration(client, migration, { owner: OWNER_ROLE });
    if (plan.backBy === "down") {
      assertCanGoDown(back);
      for (const migration of back) await rollBackMigration(client, migration, { owner: OWNER_ROLE });
    } else if (plan.backBy === "mark") for (const migration of back) await markRolledBack(client, migration);
    await grantServices(client, { database: live, owner: OWNER_ROLE, role: SERVICES_ROLE });
    return { up: up.map(({ name }) => name), back: plan.backBy === "keep" ? [] : back.map(({ name }) => name) };
  } finally {
    await client.end().catch(() => undefined);
  }
}

/**
 * Renames the live database into quarantine and the armed copy (or the quarantined database of an undo) into its place, in one transaction
 * that also writes catalogue and lineage: after a kill either nothing or all of it has happened.
 */
async function cutOver(
  run: Run,
  database: string,
  live: string,
  action: DataAction,
): Promise<{ cutOverMs: number; quarantine: string } | null> {
  const { control, epoch } = run;
  const now = await liveLineage(control.client, live);
  if (satisfies(now.lineage, action)) {
    await putBackProperties(run, database, live);
    return null;
  }
  const replacement = await replacementFor(run, database, action);
  const quarantine = derivedName(live, `_quarantine_${epoch}`);
  await fenceDatabase(control.client, replacement.name, { timeoutMs: 30_000, retryMs: 20 });
  await fenceDatabase(control.client, live, { timeoutMs: 30_000, retryMs: 20 });
  await assertFenced(control.client, live);
  const startedAt = performance.now();
  await swapDatabases(control.client, {
    live,
    replacement: replacement.name,
    quarantine,
    inTransaction: async (client) => {
      await catalogue(client, { name: quarantine, database, role: "quarantine", lineage: now.lineage, snapshotId: null, epoch });
      await catalogue(client, {
        name: live,
        database,
        role: "live",
        lineage: replacement.lineage,
        snapshotId: replacement.snapshotId,
        epoch,
        verified: replacement.verified,
      });
    },
  });
  await putBackProperties(run, database, live);
  const session = await sessionInside(endpointOf(run.site), control.client, live);
  await session.query("SELECT 1");
  const cutOverMs = performance.now() - startedAt;
  await session.end();
  return { cutOverMs, quarantine };
}

function satisfies(lineage: Lineage, action: DataAction): boolean {
  if (action.kind === "undo") return lineage.quarantine === action.quarantine;
  if (action.kind !== "restore") return true;
  const { snapshot } = lineage;
  return (
    lineage.quarantine === null &&
    snapshot !== null &&
    snapshot.name === action.snapshot &&
    snapshot.generation === action.generation &&
    snapshot.again === action.again
  );
}

async function putBackProperties(run: Run, database: string, live: string): Promise<void> {
  const saved = await savedProperties(run.control.client, database);
  if (saved !== null) await applyProperties(run.control.client, live, { ...saved, allowConnections: false });
}

interface Replacement {
  name: string;
  lineage: Lineage;
  snapshotId: number | null;
  verified: Record<string, unknown> | null;
}

/** A quarantined database to undo to does not exist. */
export class QuarantineMissingError extends Error {
  readonly quarantine: string;
  readonly available: string[];
  constructor(quarantine: string, available: string[]) {
    super(
      `backout:data "quarantine:${quarantine}": no such quarantined database; ${available.length > 0 ? `there are ${available.join(", ")}` : "there are none"}`,
    );
    this.name = "QuarantineMissingError";
    this.quarantine = quarantine;
    this.available = available;
  }
}

async function replacementFor(run: Run, database: string, action: DataAction): Promise<Replacement> {
  const { client } = run.control;
  if (action.kind === "undo") {
    const quarantines = (await catalogued(client)).filter((entry) => entry.role === "quarantine" && entry.database === database);
    const found = quarantines.find(({ name }) => name === action.quarantine);
    if (found === undefined)
      throw new QuarantineMissingError(
        action.quarantine,
        quarantines.map(({ name }) => name),
      );
    return { name: found.name, lineage: { ...found.lineage, quarantine: found.name }, snapshotId: null, verified: null };
  }
  if (action.kind !== "restore") throw new Error(`nothing replaces the data for ${action.kind}`);
  const snapshot = await baseSnapshot(run, database, action);
  if (snapshot === null) throw new Error(`snapshot ${action.snapshot}@${action.generation} of ${database} is gone`);
  const copy = await armedCopy(run, snapshot);
  return {
    name: copy.name,
    lineage: { snapshot: { name: snapshot.name, generation: snapshot.generation, again: action.again }, quarantine: null },
    snapshotId: snapshot.id,
    verified: copy.verified,
  };
}
