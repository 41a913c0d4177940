/** Every reason not to begin a rollout, found before anything stops. */
import { adoptionRecord } from "../state/adoption.ts";
import { restoredBy } from "../state/snapshots.ts";
import { cannotRun } from "../workloads/index.ts";
import { takenPorts, toRun } from "../workloads/taken-ports.ts";
import { setupRefusals } from "../workloads/setup.ts";
import { commandOf } from "../config/commands.ts";
import { ConfigError, printable } from "../config/errors.ts";
import type { Pins } from "../config/pins.ts";
import { openState } from "../databases/open-state.ts";
import type { StateStore } from "../config/record.ts";
import { rolesOf, type Site } from "../config/site.ts";
import { downScript, planScript, upScript } from "../databases/shared/migrations/script.ts";
import { missingProgram } from "../processes/command.ts";
import { requireHome } from "../processes/room.ts";
import type { SystemDefinition } from "../config/system/definition.ts";
import { constraintRefusals, previewConstraints, type ConstraintPreview } from "./constraint-preview.ts";
import type { InspectContext } from "../databases/engine.ts";
import { QuarantineMissingError } from "../databases/shared/copies.ts";
import { enginesOf, inspectionOf } from "../databases/registry.ts";
import { planFrom, type Facts } from "./inspect.ts";
import { migrationsOf, recordedMigrations } from "../databases/shared/migrations/of-definition.ts";
import type { Asked, RolloutPlan, DataAction } from "../config/plan.ts";
import { ledgerRefusals, refusesUnknown } from "./ledger-refusals.ts";
import { misspeltTables } from "./listed-tables.ts";
import { misfit, schemaRefusal } from "./schema-taken.ts";

/** @param left the stack as it was: its services may run on another target. */
export async function refusals(
  site: Site,
  definition: SystemDefinition,
  pins: Pins,
  facts: Facts,
  asked: Asked,
  violations: "reject" | "quarantine" = "reject",
  left?: Site,
): Promise<string[]> {
  const reasons = [...setupRefusals(site, definition, pins), ...(await cannotRun(site, definition, pins))];
  const collect = async (work: () => Promise<unknown>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      reasons.push((error as Error).message);
    }
  };
  for (const [database, pin] of Object.entries(pins.data)) {
    if (pin.kind === "quarantine" && facts.databases[database]?.lineage.quarantine !== pin.name) {
      const quarantines = facts.catalogue
        .filter((entry) => entry.role === "quarantine" && entry.database === database)
        .map(({ name }) => name);
      if (!quarantines.includes(pin.name)) reasons.push(new QuarantineMissingError(pin.name, quarantines).message);
    }
  }
  await collect(async () => {
    reasons.push(...(await misspeltTables({ site, definition, state: null })));
  });
  await collect(() => requireHome(site.home));
  // What still runs where the services ran before may have the ports until it is stopped.
  if (left === undefined || left.target === site.target) reasons.push(...(await takenPorts(site, definition, toRun(pins))));
  let plan: RolloutPlan | null = null;
  await collect(async () => {
    plan = planFrom(facts, definition, pins, asked);
    return Promise.resolve();
  });
  if (plan === null) return reasons.map(printable);
  const planned: RolloutPlan = plan;
  for (const [database, { up, back, backBy }] of Object.entries(planned.databases)) {
    const known = migrationsOf(definition, database);
    const { layout, migrate, migrateDown } = definition.databases[database]!;
    const commands = {
      migrate: up.length > 0 ? migrate : undefined,
      migrateDown: back.length > 0 && backBy === "down" ? migrateDown : undefined,
    };
    for (const [key, command] of Object.entries(commands)) {
      const missing = command === undefined ? null : missingProgram(command, site.project);
      if (missing !== null) reasons.push(`definition.databases.${database}.${key} "${command}": ${missing}`);
    }
    for (const migration of known.filter(({ name, byTool }) => up.includes(name) && migrate === undefined && byTool !== true))
      await collect(async () => {
        const script = upScript(migration);
        planScript(migration.name, script);
        const placeholder = layout === "flyway" ? /\$\{[^}\s]+\}/.exec(script) : null;
        if (placeholder !== null)
          throw new ConfigError(
            `definition.databases.${database}.migrate`,
            migrate,
            `only Flyway itself fills in ${placeholder[0]} of ${migration.name}: name the command that does, e.g. "flyway migrate"`,
          );
        return Promise.resolve();
      });
    if (backBy !== "down" || migrateDown !== undefined) continue;
    for (const name of back) {
      const migration = known.find((one) => one.name === name);
      if (migration?.byTool === true) continue;
      if (migration === undefined || downScript(migration) === null)
        reasons.push(`backout:schema is "down" but ${name} has no down.sql: pin schema "keep" or "mark", or restore a snapshot`);
    }
  }
  reasons.push(...schemasNotTaken(site, definition, pins, planned, facts));
  if (facts.reach.kind === "absent")
    for (const { service, role } of rolesOf(definition))
      reasons.push(
        `definition.services.${service}.databaseRole: this update makes the server, so it has no role "${role}" yet: deploy without it first, create the role and its grants, then name it`,
      );
  if (facts.reach.kind === "reached") {
    await collect(async () => {
      reasons.push(...(await foreignTo(site, definition, planned, facts)));
    });
    await collect(() => unfenceable(site, definition, planned, facts));
    for (const [database, { action }] of Object.entries(planned.databases))
      await collect(() => unrestorable({ site, definition, state: null }, database, action, facts));
    await collect(() => room(site, definition, planned, facts));
    await collect(async () => {
      reasons.push(...constraintRefusals(planned, await previewedConstraints(site, definition, planned), violations));
    });
  }
  return reasons.map(printable);
}

/** Data without a recorded schema is not judged here: the data step inspects it. */
function schemasNotTaken(site: Site, definition: SystemDefinition, pins: Pins, planned: RolloutPlan, facts: Facts): string[] {
  return Object.entries(planned.databases).flatMap(([database, plan]) => {
    const { action } = plan;
    const own = facts.snapshots.filter((snapshot) => snapshot.database === database);
    const restored = restoredBy(action, own, database);
    const now = facts.databases[database];
    const data =
      action.kind === "restore"
        ? restored?.baseline?.migrations?.[database]
        : action.kind === "undo"
          ? facts.setAside?.[action.quarantine]
          : now === undefined || !now.exists
            ? undefined
            : (recordedMigrations(now) ?? undefined);
    const restoring = action.kind === "restore" || action.kind === "undo";
    const back = planned.forward ? undefined : site;
    const reasons =
      now === undefined ? [] : ledgerRefusals({ definition, database, pins, plan, now, back, restored: restoring ? data : undefined });
    if (data === undefined) return reasons;
    const question = { definition, database, pins, plan, refuses: refusesUnknown(definition, database, now?.ledger) };
    const fitting = own.flatMap(({ name, generation, baseline }) => {
      const held = baseline?.migrations?.[database];
      if (held === undefined) return [];
      const restore = { action: { kind: "restore" as const, snapshot: name, generation, again: 0 }, back: [], backBy: plan.backBy };
      const { missing, stuck, tooMany } = misfit({ ...question, plan: restore, data: held });
      return missing.length + stuck.length + tooMany.length === 0 ? [`${name}@${generation}`] : [];
    });
    const reason = schemaRefusal({ ...question, data }, fitting, restored?.release ?? null);
    return reason === null ? reasons : [...reasons, reason];
  });
}

async function previewedConstraints(site: Site, definition: SystemDefinition, plan: RolloutPlan): Promise<ConstraintPreview[]> {
  if (plan.constraints === undefined || plan.constraints.length === 0) return [];
  const state = await openState(site, definition);
  return previewConstraints(site, definition, state, plan).finally(() => state?.end());
}

/** Refuses databases and objects that belong to others, before anybody is kept out of them. */
async function foreignTo(site: Site, definition: SystemDefinition, plan: RolloutPlan, facts: Facts): Promise<string[]> {
  const state = await openState(site, definition);
  try {
    const reasons = state === null ? [] : await adoptionBegun(site, state);
    for (const [database, planned] of Object.entries(plan.databases)) {
      const { exists, applied } = facts.databases[database] ?? { exists: false, applied: [] };
      if (!exists && planned.action.kind !== "create") continue;
      reasons.push(
        ...(await (await inspectionOf({ site, definition }, database)).foreign({ site, definition, state }, database, planned, applied)),
      );
    }
    return [...new Set(reasons)];
  } finally {
    await state?.end();
  }
}

/** An adoption that was interrupted has let nobody in yet, or recorded nothing to go back to. */
async function adoptionBegun({ project, stack }: Site, state: StateStore): Promise<string[]> {
  const record = await adoptionRecord(state);
  if (record === null || record.doneAt !== null) return [];
  const adopt = (more: string): string => `\`${commandOf(project, "backout", `adopt --stack ${stack}${more}`)}\``;
  return [
    `the adoption that began at ${record.startedAt} was interrupted: ${adopt("")} finishes it, ${adopt(" --undo")} gives everything back`,
  ];
}

/** Refuses databases that cannot be fenced: the rollout would fail with users kept out. */
async function unfenceable(site: Site, definition: SystemDefinition, plan: RolloutPlan, facts: Facts): Promise<void> {
  if (!plan.fenceData) return;
  for (const { engine, databases } of await enginesOf({ site, definition }))
    await engine.inspect.refuseUnfenceable(
      { site, definition, state: null },
      databases.filter((database) => facts.databases[database]?.exists === true),
    );
}

/** Refuses snapshots and quarantines that cannot be restored: the rollout would fail inside the fence. */
async function unrestorable(at: InspectContext, database: string, action: DataAction, facts: Facts): Promise<void> {
  const inspection = await inspectionOf(at, database);
  if (action.kind === "undo" && facts.catalogue.some(({ role, name }) => role === "quarantine" && name === action.quarantine))
    await inspection.refuseRestore(at, database, { quarantine: action.quarantine });
  const snapshot = restoredBy(action, facts.snapshots, database);
  if (snapshot !== null) await inspection.refuseRestore(at, database, { snapshot });
}

async function room(site: Site, definition: SystemDefinition, plan: RolloutPlan, facts: Facts): Promise<void> {
  // A copy of every database for every snapshot: whatever its data is to become.
  const copies = plan.take.flatMap(() =>
    Object.entries(plan.databases).flatMap(([database, { action }]) => (action.kind === "create" ? [] : [database])),
  );
  const withoutStandby = Object.entries(plan.databases).flatMap(([database, { action }]) => {
    const snapshot = restoredBy(action, facts.snapshots, database);
    if (snapshot === null) return [];
    const standby = facts.catalogue.some(
      (entry) => entry.role === "standby" && entry.snapshotId === snapshot.id && entry.verified !== null,
    );
    return standby ? [] : [snapshot];
  });
  if (copies.length === 0 && withoutStandby.length === 0) return;
  for (const { engine, databases } of await enginesOf({ site, definition }))
    await engine.inspect.requireRoom(
      { site, definition, state: null },
      copies.filter((database) => databases.includes(database)),
      withoutStandby.filter(({ database }) => databases.includes(database)),
    );
}
