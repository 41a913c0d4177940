/** Decides what a change of pins requires: what stops and in which order, what happens to the data, whether users are kept out. Pure. */
import {
  type PlanInput,
  type DatabasePlan,
  type RolloutPlan,
  type ServiceChange,
  type DataAction,
  type Lineage,
  SnapshotPinError,
  type ConstraintChange,
} from "./plan.ts";
import { standsAfter } from "./ledger.ts";
import { planConstraints, loosens, needsSnapshot, BEFORE_DROP } from "./constraint-plan.ts";
import { schemaAhead } from "./schema-ahead.ts";
import { recordedScope } from "./recorded-scope.ts";
import { canonical, type Pins, type ServicePin, type ServiceSetup, type DataPin, showDataPin } from "./pins.ts";
import type { SystemDefinition } from "./system/definition.ts";

/** Migrations that the databases will have; unknown for a restored or undone one. */
function appliedAfterwards(input: PlanInput, databases: Record<string, DatabasePlan>): Record<string, string[]> {
  return Object.fromEntries(
    Object.entries(databases).flatMap(([name, { action, up, back, backBy }]) => {
      if (action.kind !== "none" && action.kind !== "create") return [];
      const gone = backBy === "keep" ? [] : back;
      return [[name, [...(input.databases[name]?.applied ?? []), ...up].filter((migration) => !gone.includes(migration))]];
    }),
  );
}

export function planRollout(input: PlanInput): RolloutPlan {
  const { definition, from, to, unfinished, order, begun } = input;
  const forward = from === null || standsAfter(order, to.release, from.release);
  const changes = serviceChanges(from, to);
  const databases = Object.fromEntries(Object.keys(definition.databases).map((name) => [name, planDatabase(name, input, forward)]));
  const constraints = planConstraints(input, databases);
  const take = snapshotsToTake(input, forward, databases, constraints);
  const fenceData = unfinished || take.length > 0 || Object.values(databases).some(touchesData) || constraints.some(loosens);
  const stop = stopList(definition, from, changes, fenceData, unfinished);
  const ahead = schemaAhead(definition, to.runsOn ?? {}, appliedAfterwards(input, databases));
  const listening = new Set(
    Object.values(definition.listeners).flatMap(({ service, routes }) => [service, ...Object.values(routes ?? {})]),
  );
  return {
    ...recordedScope(input),
    forward,
    fromRelease: from?.release ?? null,
    ...(begun === undefined || begun === from?.release ? {} : { begun }),
    toRelease: to.release,
    changes,
    stop,
    ...(ahead.length === 0 ? {} : { schemaAhead: ahead }),
    off: Object.entries(to.services).flatMap(([name, pin]) => (pin.run ? [] : [name])),
    closeGate: fenceData || from === null || stop.some((service) => listening.has(service)),
    fenceData,
    databases,
    take,
    flagsChanged: Object.keys(to.flags).filter((flag) => from?.flags[flag] !== to.flags[flag]),
    ...(definition.constraints === undefined ? {} : { constraints }),
    maintenanceChanged: from === null || canonical(from.maintenance) !== canonical(to.maintenance),
  };
}

function touchesData(plan: DatabasePlan): boolean {
  return plan.action.kind !== "none" || plan.up.length > 0 || (plan.back.length > 0 && plan.backBy !== "keep");
}

function serviceChanges(from: Pins | null, to: Pins): ServiceChange[] {
  return Object.entries(to.services).flatMap(([service, pin]) => {
    const old = from?.services[service];
    const what = difference(old, pin);
    return what.length === 0 ? [] : [{ service, from: old?.release ?? null, to: pin.release, what: what.join(", ") }];
  });
}

function difference(old: ServicePin | undefined, pin: ServicePin): string[] {
  if (old === undefined) return [`new at ${pin.release}${pin.run ? "" : ", off"}`];
  const what: string[] = [];
  if (old.release !== pin.release) what.push(`${old.release} → ${pin.release}`);
  else if (canonical(old.artefact) !== canonical(pin.artefact)) what.push(`another artefact of ${pin.release}`);
  if (canonical(old.config) !== canonical(pin.config)) what.push("configuration");
  if (old.run !== pin.run) what.push(pin.run ? "started" : "stopped");
  if (old.restart !== pin.restart && what.length === 0) what.push("restarted");
  // Another release or configuration has another environment.
  if (what.length === 0 && pin.run) what.push(...setupChanges(old.setup, pin.setup));
  return what;
}

/** Names only, no values. */
function setupChanges(old: ServiceSetup | undefined, now: ServiceSetup | undefined): string[] {
  if (old === undefined || now === undefined) return [];
  return (["environment", "definition"] as const).flatMap((part) => {
    const names = [...new Set([...Object.keys(old[part]), ...Object.keys(now[part])])].filter(
      (name) => old[part][name] !== now[part][name],
    );
    return names.length === 0 ? [] : [`${part} changed: ${names.sort().join(", ")}`];
  });
}

function planDatabase(name: string, input: PlanInput, forward: boolean): DatabasePlan {
  const facts = input.databases[name] ?? { exists: false, lineage: { snapshot: null, quarantine: null }, applied: [], failed: [] };
  const pin = input.to.data[name] ?? { kind: "current" };
  const order = input.definition.databases[name]!.migrations.map((migration) => migration.name);
  const needed = input.to.needs[name];
  // A release that names no migration requires no schema: it must not count as one that needs an empty database.
  const upTo = needed === undefined ? [] : order.slice(0, order.indexOf(needed) + 1);
  const action: DataAction = facts.exists ? dataAction(name, pin, input) : { kind: "create" };
  const stays = action.kind === "none" || action.kind === "repair";
  const applied = stays ? facts.applied : [];
  const up = action.kind === "restore" || action.kind === "undo" ? [] : upTo.filter((migration) => !applied.includes(migration));
  const beyond = needed === undefined ? [] : order.slice(upTo.length).reverse();
  // While a fence is closed the migration ledger is unknown: the data step itself finds which migrations to revert.
  const maybe = facts.unread === true && input.to.schema !== "keep";
  const back =
    forward || !stays ? [] : beyond.filter((migration) => maybe || facts.applied.includes(migration) || facts.failed.includes(migration));
  const descends = action.kind === "none" ? descendsAlready(name, pin, input) : null;
  const head = facts.head === undefined ? {} : { head: facts.head };
  return { action, up, back, backBy: input.to.schema, ...head, ...(descends === null ? {} : { descends }) };
}

/** A newly pinned snapshot that requires no restore. */
function descendsAlready(database: string, pin: DataPin, { databases, from }: PlanInput): Lineage["snapshot"] {
  if (pin.kind !== "snapshot" || canonical(from?.data[database]) === canonical(pin)) return null;
  return databases[database]?.lineage.snapshot ?? null;
}

function dataAction(database: string, pin: DataPin, { databases, from, snapshots }: PlanInput): DataAction {
  const { lineage } = databases[database]!;
  if (pin.kind === "current") return { kind: "none" };
  if (pin.kind === "repair") {
    // Repaired data has no lineage of its own: the pins that opened last say whether the repair was done.
    if (canonical(from?.data[database]) === canonical(pin)) return { kind: "none" };
    const { repair, snapshot } = pin;
    const named = snapshot === null ? null : resolveSnapshot(database, { kind: "snapshot", ...snapshot, again: 0 }, snapshots);
    return {
      kind: "repair",
      repair,
      snapshot: named === null ? null : { name: named.name, generation: named.generation },
      with: pin.with,
    };
  }
  if (pin.kind === "quarantine") return lineage.quarantine === pin.name ? { kind: "none" } : { kind: "undo", quarantine: pin.name };
  const { generation } = resolveSnapshot(database, pin, snapshots);
  const here = lineage.snapshot;
  if (lineage.quarantine === null && here !== null && here.name === pin.name && here.generation === generation && here.again === pin.again)
    return { kind: "none" };
  return { kind: "restore", snapshot: pin.name, generation, again: pin.again };
}

/** @throws SnapshotPinError if the name is unknown, or has several generations. */
export function resolveSnapshot(
  database: string,
  pin: Extract<DataPin, { kind: "snapshot" }>,
  snapshots: PlanInput["snapshots"],
): { name: string; generation: number } {
  const named = snapshots.filter((snapshot) => snapshot.database === database && snapshot.name === pin.name);
  const all = snapshots.filter((snapshot) => snapshot.database === database).map((snapshot) => `${snapshot.name}@${snapshot.generation}`);
  const fitting = named.filter((snapshot) => pin.generation === null || snapshot.generation === pin.generation);
  if (fitting.length === 1) return fitting[0]!;
  throw new SnapshotPinError(
    database,
    showDataPin(pin),
    fitting.length > 1 ? fitting.map((snapshot) => `${snapshot.name}@${snapshot.generation}`) : all,
    fitting.length > 1,
  );
}

function snapshotsToTake(
  input: PlanInput,
  forward: boolean,
  databases: Record<string, DatabasePlan>,
  constraints: ConstraintChange[],
): RolloutPlan["take"] {
  const existing = Object.entries(input.databases)
    .filter(([, facts]) => facts.exists)
    .map(([name]) => name);
  if (existing.length === 0) return [];
  const take: RolloutPlan["take"] = [];
  const stays = existing.filter((name) => databases[name]!.action.kind === "none");
  const deploys = forward && input.from !== null && stays.length === existing.length;
  // In either direction: only a snapshot can undo what migrations do to data in place.
  if (deploys || stays.some((name) => databases[name]!.up.length > 0)) take.push({ name: `before-${input.to.release}`, automatic: true });
  // Data changed in place has no quarantine.
  for (const name of existing) {
    const { action } = databases[name]!;
    if (action.kind === "repair" && !take.some((one) => one.name === `before-${action.repair}`))
      take.push({ name: `before-${action.repair}`, automatic: true });
  }
  if (existing.some((name) => databases[name]!.backBy === "down" && databases[name]!.back.length > 0))
    take.push({ name: `before-down-${input.to.release}`, automatic: true });
  if (constraints.some(needsSnapshot)) take.push({ name: BEFORE_DROP, automatic: true });
  for (const name of input.to.snapshots)
    if (existing.some((database) => !input.snapshots.some((snapshot) => snapshot.database === database && snapshot.name === name)))
      take.push({ name, automatic: false });
  return take;
}

function stopList(
  definition: SystemDefinition,
  from: Pins | null,
  changes: ServiceChange[],
  fenceData: boolean,
  unfinished: boolean,
): string[] {
  if (from === null && !unfinished) return [];
  const changed = new Set(changes.map((change) => change.service));
  return ordered(definition).filter((name) => {
    const service = definition.services[name]!;
    if (service.kind === "static") return false;
    return unfinished || changed.has(name) || (fenceData && service.databases.length > 0);
  });
}

/** Services in stop order; those not listed there come last. */
export function ordered(definition: SystemDefinition): string[] {
  const rest = Object.keys(definition.services).filter((name) => !definition.stopOrder.includes(name));
  return [...definition.stopOrder, ...rest];
}
