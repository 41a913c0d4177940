/** Every reason not to begin a crossing, found before anything stops. */
import { targetOf } from "../components/targets/index.ts";
import { showDataPin, type Pins } from "../declared/pins.ts";
import type { Site } from "../declared/site.ts";
import { ControlStore } from "../control/store.ts";
import { controlName, endpointOf, liveName } from "../declared/site.ts";
import { withSession } from "../postgres/connection.ts";
import { refuseUnfenceable } from "../postgres/fence.ts";
import { downScript } from "../postgres/migrations.ts";
import { requireSpace } from "../postgres/space.ts";
import type { SystemDefinition } from "../systems/definition.ts";
import { constraintRefusals, previewConstraints, type ConstraintPreview } from "./constraint-preview.ts";
import { driverFor } from "./drivers.ts";
import { unfinished, type Facts } from "./look.ts";
import { migrationsOf } from "./migrations.ts";
import { planCrossing, type CrossingPlan } from "./plan.ts";

export async function refusals(
  site: Site,
  definition: SystemDefinition,
  pins: Pins,
  facts: Facts,
  violations: "refuse" | "quarantine" = "refuse",
): Promise<string[]> {
  const reasons: string[] = [];
  const collect = async (work: () => Promise<unknown>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      reasons.push((error as Error).message);
    }
  };
  const target = targetOf(site, definition);
  for (const [name, pin] of Object.entries(pins.components)) await collect(() => target.check(name, pin));
  for (const [database, pin] of Object.entries(pins.data)) {
    if (pin.kind === "quarantine" && facts.databases[database]?.lineage.quarantine !== pin.name) {
      const quarantines = facts.catalogue
        .filter((entry) => entry.role === "quarantine" && entry.database === database)
        .map(({ name }) => name);
      if (!quarantines.includes(pin.name))
        reasons.push(
          `backout:data "${showDataPin(pin)}": no such quarantined database; ${quarantines.length > 0 ? `there are ${quarantines.join(", ")}` : "there are none"}`,
        );
    }
  }
  let plan: CrossingPlan | null = null;
  await collect(async () => {
    plan = planCrossing({
      definition,
      from: facts.lastOpen?.pins ?? null,
      to: pins,
      unfinished: unfinished(facts.last),
      databases: facts.databases,
      snapshots: facts.snapshots,
    });
    return Promise.resolve();
  });
  if (plan === null) return reasons;
  const planned: CrossingPlan = plan;
  for (const [database, { back, backBy }] of Object.entries(planned.databases)) {
    if (backBy !== "down") continue;
    for (const name of back) {
      const migration = migrationsOf(definition, database).find((one) => one.name === name);
      if (migration === undefined || downScript(migration) === null)
        reasons.push(`backout:schema is "down" but ${name} has no down.sql: pin schema "keep" or "mark", or restore a snapshot`);
    }
  }
  if (facts.reach.kind === "reached") {
    await collect(() => unfenceable(site, planned, facts));
    await collect(() => space(site, planned, facts));
    await collect(async () => {
      reasons.push(...constraintRefusals(planned, await previewedConstraints(site, definition, planned), violations));
    });
  }
  return reasons;
}

async function previewedConstraints(site: Site, definition: SystemDefinition, plan: CrossingPlan): Promise<ConstraintPreview[]> {
  if (plan.constraints === undefined || plan.constraints.length === 0) return [];
  const control = await ControlStore.open(endpointOf(site), controlName(site, definition));
  return previewConstraints(site, definition, control, plan.constraints).finally(() => control?.end());
}

/** What could not be fenced would fail the crossing when users are out already. */
async function unfenceable(site: Site, plan: CrossingPlan, facts: Facts): Promise<void> {
  if (!plan.fenceData) return;
  await withSession(endpointOf(site), "postgres", async (client) => {
    for (const database of Object.keys(plan.databases))
      if (facts.databases[database]?.exists === true) await refuseUnfenceable(client, liveName(site, database));
  });
}

async function space(site: Site, plan: CrossingPlan, facts: Facts): Promise<void> {
  const copies = Object.entries(plan.databases).filter(([, { action }]) => plan.take.length > 0 && action.kind === "none");
  const unarmed = Object.entries(plan.databases).flatMap(([database, { action }]) => {
    if (action.kind !== "restore") return [];
    const snapshot = facts.snapshots.find(
      (one) => one.database === database && one.name === action.snapshot && one.generation === action.generation,
    );
    const armed = facts.catalogue.some((entry) => entry.role === "armed" && entry.snapshotId === snapshot?.id && entry.verified !== null);
    return armed || snapshot === undefined ? [] : [snapshot];
  });
  if (copies.length === 0 && unarmed.length === 0) return;
  await withSession(endpointOf(site), "postgres", async (client) => {
    await driverFor(site, client, site.server.driver).check();
    const { rows } = await client.query<{ bytes: string }>(
      "SELECT coalesce(sum(pg_database_size(oid)), 0) AS bytes FROM pg_database WHERE datname = ANY($1)",
      [copies.map(([database]) => site.server.databases[database] ?? database.replaceAll("-", "_"))],
    );
    const needBytes = Number(rows[0]?.bytes) + unarmed.reduce((sum, { sizeBytes }) => sum + (sizeBytes ?? 0), 0);
    await requireSpace(client, endpointOf(site), needBytes);
  });
}
