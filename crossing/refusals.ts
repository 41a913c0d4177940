/** Every reason not to begin a crossing, found before anything stops. */
import { targetOf } from "../components/targets/index.ts";
import type { Pins } from "../declared/pins.ts";
import { openControl } from "../control/open.ts";
import type { Site } from "../declared/site.ts";
import { downScript } from "../postgres/migrations/script.ts";
import type { SystemDefinition } from "../systems/definition.ts";
import { constraintRefusals, previewConstraints, type ConstraintPreview } from "./constraint-preview.ts";
import { enginesOf, QuarantineMissingError } from "./engine.ts";
import { planFrom, type Facts } from "./look.ts";
import { migrationsOf } from "./migrations.ts";
import type { CrossingPlan } from "./plan.ts";

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
      if (!quarantines.includes(pin.name)) reasons.push(new QuarantineMissingError(pin.name, quarantines).message);
    }
  }
  let plan: CrossingPlan | null = null;
  await collect(async () => {
    plan = planFrom(facts, definition, pins);
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
    await collect(() => unfenceable(site, definition, planned, facts));
    await collect(() => room(site, definition, planned, facts));
    await collect(async () => {
      reasons.push(...constraintRefusals(planned, await previewedConstraints(site, definition, planned), violations));
    });
  }
  return reasons;
}

async function previewedConstraints(site: Site, definition: SystemDefinition, plan: CrossingPlan): Promise<ConstraintPreview[]> {
  if (plan.constraints === undefined || plan.constraints.length === 0) return [];
  const control = await openControl(site, definition);
  return previewConstraints(site, definition, control, plan).finally(() => control?.end());
}

/** What could not be fenced would fail the crossing when users are out already. */
async function unfenceable(site: Site, definition: SystemDefinition, plan: CrossingPlan, facts: Facts): Promise<void> {
  if (!plan.fenceData) return;
  for (const { engine, databases } of await enginesOf(definition))
    await engine.refuseUnfenceable(
      { site, definition, control: null },
      databases.filter((database) => facts.databases[database]?.exists === true),
    );
}

async function room(site: Site, definition: SystemDefinition, plan: CrossingPlan, facts: Facts): Promise<void> {
  const copies = Object.entries(plan.databases).flatMap(([database, { action }]) =>
    plan.take.length > 0 && action.kind === "none" ? [database] : [],
  );
  const unarmed = Object.entries(plan.databases).flatMap(([database, { action }]) => {
    if (action.kind !== "restore") return [];
    const snapshot = facts.snapshots.find(
      (one) => one.database === database && one.name === action.snapshot && one.generation === action.generation,
    );
    const armed = facts.catalogue.some((entry) => entry.role === "armed" && entry.snapshotId === snapshot?.id && entry.verified !== null);
    return armed || snapshot === undefined ? [] : [snapshot];
  });
  if (copies.length === 0 && unarmed.length === 0) return;
  for (const { engine, databases } of await enginesOf(definition))
    await engine.requireRoom(
      { site, definition, control: null },
      copies.filter((database) => databases.includes(database)),
      unarmed.filter(({ database }) => databases.includes(database)),
    );
}
