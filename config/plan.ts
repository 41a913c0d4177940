/** Decides what a change of pins takes: what stops and in which order, what happens to the data, who is kept out. Pure. */
import { standsAfter } from "./ledger.ts";
import {
  canonical,
  showDataPin,
  type ComponentPin,
  type ComponentSetup,
  type DataPin,
  type Pins,
  type ScopePin,
} from "./pins.ts";
import type { ConstraintState } from "./system/constraint.ts";
import { schemaAhead } from "./schema-ahead.ts";
import type { SystemDefinition } from "./system/definition.ts";
import { recordedScope } from "./recorded-scope.ts";
import { BEFORE_DROP, loosens, needsSnapshot, planConstraints, type ConstraintChange } from "./constraint-plan.ts";

/** What is true of one database now. */
export interface DatabaseFacts {
  exists: boolean;
  /** Pin the live database satisfies: the snapshot it descends from, or the quarantine it was. */
  lineage: Lineage;
  /** Migrations the ledger says are applied. */
  applied: string[];
  /** Started and not finished. */
  failed: string[];
  /** Those of `failed` of which something may be there: they cannot simply be applied again. Absent: none. */
  unfinished?: string[];
  /** Applied, and not in the definition. Absent: none. */
  unknown?: string[];
  /** The database refuses connections, so that nothing is known of its migrations. */
  unread?: true;
  /** What the catalogue says of each constraint of the definition; absent where nobody could look. */
  constraints?: Record<string, ConstraintState>;
}

/** Where a database's data comes from. */
export interface Lineage {
  /** Snapshot it descends from, with how many times that one had been restored before. */
  snapshot: { name: string; generation: number; again: number } | null;
  /** Name under which it stood in quarantine, when an undo brought it back. */
  quarantine: string | null;
}

export const NO_LINEAGE: Lineage = { snapshot: null, quarantine: null };

export type DataAction =
  | { kind: "none" }
  | { kind: "create" }
  | { kind: "restore"; snapshot: string; generation: number; again: number }
  | { kind: "undo"; quarantine: string }
  | { kind: "repair"; repair: string; snapshot: { name: string; generation: number } | null; with: Record<string, string> };

export interface DatabasePlan {
  action: DataAction;
  /** Migrations to apply after the action, oldest first (`create` and `none`; a restore plans them again on what it restored). */
  up: string[];
  /** Migrations to take back, newest first, and how. */
  back: string[];
  backBy: "keep" | "mark" | "down";
  /** Snapshot that is pinned and that the data descends from already, so that nothing is restored; absent where the pin is no new one. */
  descends?: { name: string; generation: number; again: number };
}

export interface ComponentChange {
  component: string;
  from: string | null;
  to: string;
  what: string;
}

export interface CrossingPlan {
  /** The declared scope; null where none is, or the pins contradict it. */
  scope: string | null;
  /** The one component the scope is for; absent: it is for none in particular. */
  component?: string;
  /** How the pins contradict the declared scope, in words; absent: they do not. */
  misfit?: string;
  /** The release goes to one that stands after the one that is left in the ledger. */
  forward: boolean;
  /** Release that opened last, and is left; null on the first deployment. */
  fromRelease: string | null;
  /** Release of a crossing that was begun since and never opened; absent: there is none, or it is the one that opened last. */
  begun?: string;
  toRelease: string;
  changes: ComponentChange[];
  /** Components to stop, in order. Each is confirmed stopped before the next step. */
  stop: string[];
  /** Components that must not run afterwards. */
  off: string[];
  /** Users get 503 from the fence until verification has passed. */
  closeGate: boolean;
  /** No one but backout reaches the databases from the fence until the data step is done. */
  fenceData: boolean;
  databases: Record<string, DatabasePlan>;
  /** Snapshots to take inside the fence: automatic or declared. */
  take: { name: string; automatic: boolean }[];
  flagsChanged: string[];
  /** Constraints that change, in the order in which they do; absent where the system has none. */
  constraints?: ConstraintChange[];
  maintenanceChanged: boolean;
  /** Components that will run on a schema that is too new for them, in words; absent: none. */
  schemaAhead?: string[];
  /** Made while the databases were out of reach, from what the pins alone say: to be shown, never to be carried out. */
  assumed?: true;
}

/** What is declared besides the pins. It moves nothing by itself, so that it is no part of a crossing's identity. */
export interface Asked {
  /** The ledger's order, oldest first; null where it cannot be known: the record of what opened decides then. */
  order: readonly string[] | null;
  /** Which scope the pins are those of; null: none is declared. */
  scope: ScopePin | null;
}

export interface PlanInput {
  definition: SystemDefinition;
  /** Pins of the last crossing that opened; null on the first deployment. */
  from: Pins | null;
  to: Pins;
  /** The last crossing has not opened: nothing is known to be as its pins say. */
  unfinished: boolean;
  /** Release of the last crossing where that has not opened. */
  begun?: string | undefined;
  /** Every release that is known, oldest first. */
  order: readonly string[];
  scope: ScopePin | null;
  databases: Record<string, DatabaseFacts>;
  /** Snapshots that exist, to see which declared ones are missing and to resolve a name to its generation. */
  snapshots: { database: string; name: string; generation: number }[];
}

/** A data pin names a snapshot that does not exist, or more than one. */
export class SnapshotPinError extends Error {
  readonly database: string;
  readonly pin: string;
  readonly available: string[];
  constructor(database: string, pin: string, available: string[], ambiguous: boolean) {
    super(
      ambiguous
        ? `backout:data "${pin}" is ambiguous: ${available.join(", ")} exist; pin one of them`
        : `backout:data "${pin}": no such snapshot of ${database}; ${available.length > 0 ? `there are ${available.join(", ")}` : "there are none"}`,
    );
    this.name = "SnapshotPinError";
    this.database = database;
    this.pin = pin;
    this.available = available;
  }
}

/** What the databases will have; of one that is restored or undone nothing is known beforehand. */
function appliedAfterwards(input: PlanInput, databases: Record<string, DatabasePlan>): Record<string, string[]> {
  return Object.fromEntries(
    Object.entries(databases).flatMap(([name, { action, up, back, backBy }]) => {
      if (action.kind !== "none" && action.kind !== "create") return [];
      const gone = backBy === "keep" ? [] : back;
      return [[name, [...(input.databases[name]?.applied ?? []), ...up].filter((migration) => !gone.includes(migration))]];
    }),
  );
}

export function planCrossing(input: PlanInput): CrossingPlan {
  const { definition, from, to, unfinished, order, begun } = input;
  const forward = from === null || standsAfter(order, to.release, from.release);
  const changes = componentChanges(from, to);
  const databases = Object.fromEntries(Object.keys(definition.databases).map((name) => [name, planDatabase(name, input, forward)]));
  const constraints = planConstraints(input, databases);
  const take = snapshotsToTake(input, forward, databases, constraints);
  const fenceData = unfinished || take.length > 0 || Object.values(databases).some(touchesData) || constraints.some(loosens);
  const stop = stopList(definition, from, changes, fenceData, unfinished);
  const ahead = schemaAhead(definition, to.runsOn ?? {}, appliedAfterwards(input, databases));
  const listening = new Set(
    Object.values(definition.listeners).flatMap(({ component, routes }) => [component, ...Object.values(routes ?? {})]),
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
    off: Object.entries(to.components).flatMap(([name, pin]) => (pin.run ? [] : [name])),
    closeGate: fenceData || from === null || stop.some((component) => listening.has(component)),
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

function componentChanges(from: Pins | null, to: Pins): ComponentChange[] {
  return Object.entries(to.components).flatMap(([component, pin]) => {
    const old = from?.components[component];
    const what = difference(old, pin);
    return what.length === 0 ? [] : [{ component, from: old?.release ?? null, to: pin.release, what: what.join(", ") }];
  });
}

function difference(old: ComponentPin | undefined, pin: ComponentPin): string[] {
  if (old === undefined) return [`new at ${pin.release}${pin.run ? "" : ", off"}`];
  const what: string[] = [];
  if (old.release !== pin.release) what.push(`${old.release} → ${pin.release}`);
  else if (canonical(old.artefact) !== canonical(pin.artefact)) what.push(`another artefact of ${pin.release}`);
  if (canonical(old.config) !== canonical(pin.config)) what.push("configuration");
  if (old.run !== pin.run) what.push(pin.run ? "started" : "stopped");
  if (old.restart !== pin.restart && what.length === 0) what.push("restarted");
  // Another release or configuration brings another environment.
  if (what.length === 0 && pin.run) what.push(...setupChanges(old.setup, pin.setup));
  return what;
}

/** Names only: values are nowhere. */
function setupChanges(old: ComponentSetup | undefined, now: ComponentSetup | undefined): string[] {
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
  // A release that names no migration asks nothing of the schema: it may not be taken for one that needs an empty database.
  const upTo = needed === undefined ? [] : order.slice(0, order.indexOf(needed) + 1);
  const action: DataAction = facts.exists ? dataAction(name, pin, input) : { kind: "create" };
  const stays = action.kind === "none" || action.kind === "repair";
  const applied = stays ? facts.applied : [];
  const up = action.kind === "restore" || action.kind === "undo" ? [] : upTo.filter((migration) => !applied.includes(migration));
  const beyond = needed === undefined ? [] : order.slice(upTo.length).reverse();
  // Inside a fence that still stands nobody has read the ledger: whatever of it is applied goes back, which the step that works there finds out.
  const maybe = facts.unread === true && input.to.schema !== "keep";
  const back =
    forward || !stays ? [] : beyond.filter((migration) => maybe || facts.applied.includes(migration) || facts.failed.includes(migration));
  const descends = action.kind === "none" ? descendsAlready(name, pin, input) : null;
  return { action, up, back, backBy: input.to.schema, ...(descends === null ? {} : { descends }) };
}

/** A snapshot that is pinned anew and asks for nothing. */
function descendsAlready(database: string, pin: DataPin, { databases, from }: PlanInput): Lineage["snapshot"] {
  if (pin.kind !== "snapshot" || canonical(from?.data[database]) === canonical(pin)) return null;
  return databases[database]?.lineage.snapshot ?? null;
}

function dataAction(database: string, pin: DataPin, { databases, from, snapshots }: PlanInput): DataAction {
  const { lineage } = databases[database]!;
  if (pin.kind === "current") return { kind: "none" };
  if (pin.kind === "repair") {
    // Repaired data has no lineage of its own: the pins that were open last say whether it was done.
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

/** @throws SnapshotPinError where the name is unknown, or stands for several generations. */
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
): CrossingPlan["take"] {
  const existing = Object.entries(input.databases)
    .filter(([, facts]) => facts.exists)
    .map(([name]) => name);
  if (existing.length === 0) return [];
  const take: CrossingPlan["take"] = [];
  const stays = existing.filter((name) => databases[name]!.action.kind === "none");
  const deploys = forward && input.from !== null && stays.length === existing.length;
  // Whichever way the release goes: what migrations do to data in place is taken back by nothing else.
  if (deploys || stays.some((name) => databases[name]!.up.length > 0)) take.push({ name: `before-${input.to.release}`, automatic: true });
  // Data changed in place has no quarantine to go back to.
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
  changes: ComponentChange[],
  fenceData: boolean,
  unfinished: boolean,
): string[] {
  if (from === null && !unfinished) return [];
  const changed = new Set(changes.map((change) => change.component));
  return ordered(definition).filter((name) => {
    const component = definition.components[name]!;
    if (component.kind === "static") return false;
    return unfinished || changed.has(name) || (fenceData && component.databases.length > 0);
  });
}

/** Components in stop order; those the order does not name come last. */
export function ordered(definition: SystemDefinition): string[] {
  const rest = Object.keys(definition.components).filter((name) => !definition.stopOrder.includes(name));
  return [...definition.stopOrder, ...rest];
}
