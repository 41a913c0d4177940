/** A scope is a name for a set of pins: the edits a person would make. Pure. */
import { UsageError, suggestion } from "./errors.ts";
import type { ServiceScope, SystemDefinition } from "./system/definition.ts";
import { own } from "./own.ts";
import type { PinEdit } from "./edit.ts";
import { repairsOf } from "./repairs.ts";
import type { RepairPinText } from "./schema.ts";

/** The system has no such scope. */
export class UnknownScopeError extends UsageError {
  readonly scope: string;
  constructor(scope: string, known: string[]) {
    super(`scope "${scope}" is not one of ${known.join(", ")}${suggestion(scope, known)}`);
    this.name = "UnknownScopeError";
    this.scope = scope;
  }
}

export interface ScopeTarget {
  scope: string;
  /** Release to go back to. */
  to: string;
  /** Exact snapshot (`before-v4.0.0@2`) for scopes that restore data; by database where there are several. */
  snapshots: Record<string, string>;
  /** Arguments of the repair, for scopes that repair data in place. */
  with?: Record<string, string>;
  /** The newer release and the incident that blocks it; null: nothing is blocked. */
  block: { release: string; incident: string } | null;
  /** Time at which a freeze is set, ISO 8601; only shown to people. */
  at?: string;
  /** Service; only for scopes of one service. */
  service?: string;
  /**
   * Changes of a service's declared overrides that restore its former settings: `null` removes a recorded setting, undefined leaves it as
   * recorded. A service without an entry loses all overrides.
   */
  overrides?: Readonly<Record<string, Readonly<Record<string, string | null | undefined>>>>;
  /** Former number of requested restarts, by service. */
  restarts?: Record<string, number>;
}

/** A scope of one service has no service, or an unknown one; or another scope has one. */
export class ScopeServiceError extends UsageError {
  readonly scope: string;
  readonly service: string | undefined;
  constructor(scope: string, service: string | undefined, known: string[]) {
    super(
      service === undefined
        ? `scope "${scope}" is for one service: name it with --service (${known.join(", ")})`
        : known.length === 0
          ? `scope "${scope}" names its services itself: run again without --service "${service}"`
          : `--service "${service}" is not one of ${known.join(", ")}${suggestion(service, known)}`,
    );
    this.name = "ScopeServiceError";
    this.scope = scope;
    this.service = service;
  }
}

/** What the scope requires of each service. @throws ScopeServiceError */
export function askedOf(
  definition: SystemDefinition,
  { scope, service }: Pick<ScopeTarget, "scope" | "service">,
): Record<string, ServiceScope> {
  const { pins } = definition.scopes[scope]!;
  const known = pins.service === undefined ? [] : Object.keys(definition.services);
  if (pins.service === undefined && service === undefined) return pins.services ?? {};
  if (pins.service === undefined || service === undefined || !known.includes(service)) throw new ScopeServiceError(scope, service, known);
  return { ...pins.services, [service]: pins.service };
}

export function scopeEdits(definition: SystemDefinition, target: ScopeTarget): PinEdit[] {
  const { scope, to, snapshots, with: given, block, at, service: one, overrides = {}, restarts = {} } = target;
  const found = own(definition.scopes, scope);
  if (found === undefined) throw new UnknownScopeError(scope, Object.keys(definition.scopes));
  const { pins } = found;
  const asked = askedOf(definition, target);
  const edits: PinEdit[] = [];
  if (pins.release === "to") {
    edits.push({ path: ["release"], value: to });
    for (const service of Object.keys(definition.services)) edits.push({ path: ["services", service, "release"], value: undefined });
  }
  for (const [service, pin] of Object.entries(asked)) {
    if (pin.release === "to") edits.push({ path: ["services", service, "release"], value: to });
    if (pin.run !== undefined) edits.push({ path: ["services", service, "run"], value: pin.run });
    edits.push(...configEdits(service, pin.config, overrides[service]));
    if (pin.restart === true) edits.push({ path: ["services", service, "restart"], value: (restarts[service] ?? 0) + 1 });
  }
  if (pins.data === "snapshot") {
    const names = Object.values(snapshots);
    edits.push({ path: ["data"], value: names.length === 1 ? names[0] : snapshots });
  } else if (typeof pins.data === "object") {
    edits.push({ path: ["data"], value: repairPin(definition, pins.data.repair, snapshots, given ?? {}) });
  } else if (pins.data === "current") edits.push({ path: ["data"], value: "current" });
  if (pins.schema !== undefined) edits.push({ path: ["schema"], value: pins.schema });
  for (const [flag, enabled] of Object.entries(pins.flags ?? {})) edits.push({ path: ["flags", flag], value: enabled });
  if (pins.constraints === "release") edits.push({ path: ["constraints"], value: undefined });
  else
    for (const [constraint, state] of Object.entries(pins.constraints ?? {}))
      edits.push({ path: ["constraints", constraint], value: state });
  if (pins.violations !== undefined) edits.push({ path: ["violations"], value: pins.violations });
  if (pins.maintenance !== undefined)
    edits.push({ path: ["maintenance"], value: pins.maintenance.mode === "off" ? "off" : { ...pins.maintenance } });
  if (pins.freeze !== undefined) edits.push({ path: ["freeze"], value: { ...pins.freeze, ...(at === undefined ? {} : { since: at }) } });
  edits.push({ path: ["scope"], value: one === undefined ? scope : { name: scope, service: one } });
  if (block !== null && pins.release === "to") edits.push({ path: ["blocked", block.release], value: block.incident });
  return edits;
}

/** One edit per setting, so unchanged ones, e.g. encrypted ones, stay as written. */
function configEdits(
  service: string,
  asked: ServiceScope["config"],
  changes: Readonly<Record<string, string | null | undefined>> | undefined,
): PinEdit[] {
  if (asked === undefined) return [];
  const edit = (key: string): PinEdit => ({ path: ["services", service, "config", key], value: changes?.[key] });
  if (asked !== "ledger") return asked.filter((key) => changes === undefined || key in changes).map(edit);
  return changes === undefined ? [{ path: ["services", service, "config"], value: undefined }] : Object.keys(changes).map(edit);
}

function repairPin(
  definition: SystemDefinition,
  repair: string,
  snapshots: Record<string, string>,
  given: Record<string, string>,
): RepairPinText | Record<string, RepairPinText> {
  const databases = Object.keys(definition.databases);
  const having = databases.filter((database) => Object.hasOwn(repairsOf(definition, database), repair));
  const pins = having.map((database): [string, RepairPinText] => {
    const snapshot = repairsOf(definition, database)[repair]?.readsSnapshot === true ? snapshots[database] : undefined;
    return [
      database,
      { repair, ...(snapshot === undefined ? {} : { snapshot }), ...(Object.keys(given).length === 0 ? {} : { with: given }) },
    ];
  });
  return databases.length === 1 && pins[0] !== undefined ? pins[0][1] : Object.fromEntries(pins);
}

/** The pins of a deployment: the release for every service, everything running, no maintenance, the current data, no scope. */
export function deployEdits(definition: SystemDefinition, release: string): PinEdit[] {
  const edits: PinEdit[] = [{ path: ["release"], value: release }];
  for (const service of Object.keys(definition.services)) {
    edits.push({ path: ["services", service, "release"], value: undefined });
    edits.push({ path: ["services", service, "run"], value: undefined });
    edits.push({ path: ["services", service, "restart"], value: undefined });
  }
  edits.push({ path: ["data"], value: "current" }, { path: ["schema"], value: "keep" }, { path: ["maintenance"], value: "off" });
  edits.push({ path: ["scope"], value: undefined });
  return edits;
}
