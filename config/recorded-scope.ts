/** The scope that is recorded for a rollout: the declared one, unless the pins contradict it. Pure. */
import { standsAfter } from "./ledger.ts";
import { canonical, showDataPin, type DataPin, type Pins, type ScopePin } from "./pins.ts";
import type { ScopeDefinition, SystemDefinition } from "./system/definition.ts";

export interface RecordedScope {
  /** Null: none is declared, or the pins contradict it. */
  scope: string | null;
  /** Service of a scope of one service; absent: another scope. */
  service?: string;
  /** How the pins contradict the declared scope. */
  misfit?: string;
}

export interface ScopeQuestion {
  definition: SystemDefinition;
  scope: ScopePin | null;
  from: Pins | null;
  to: Pins;
  /** The last rollout has not opened: it is resumed, whatever the release before. */
  unfinished: boolean;
  order: readonly string[];
}

export function recordedScope(question: ScopeQuestion): RecordedScope {
  const { scope: declared, definition, to } = question;
  if (declared === null) return { scope: null };
  const { name, service } = declared;
  const scope = definition.scopes[name];
  // What such a scope set aside comes back: the undo of its undo.
  if (scope?.pins.data === "snapshot" && Object.values(to.data).some(({ kind }) => kind === "quarantine")) return { scope: null };
  const why = scope === undefined ? "it is unknown" : contradiction(scope, question);
  if (why === null) return { scope: name, ...(service === undefined ? {} : { service }) };
  return { scope: null, misfit: `backout:scope "${name}" is not recorded: ${why}; remove it, or pin what it asks for` };
}

/** A scope in words, with its service. */
export function scopeText(scope: string, service: string | undefined): string {
  return service === undefined ? scope : `${scope} of ${service}`;
}

/** The first requirement of the scope that the pins do not meet. */
function contradiction({ pins }: ScopeDefinition, { scope, from, to, unfinished, order }: ScopeQuestion): string | null {
  if (from === null) return "it is a rollback, and nothing is deployed yet";
  if (standsAfter(order, to.release, from.release))
    return `it is a rollback, and ${to.release} is newer than ${from.release} in the ledger`;
  if (pins.release === "to" && to.release === from.release && !unfinished) return `it rolls the release back, and ${to.release} stays`;
  const asked = { ...pins.services, ...(scope?.service === undefined ? {} : { [scope.service]: pins.service ?? {} }) };
  for (const [name, { release, run }] of Object.entries(asked)) {
    const [before, after] = [from.services[name], to.services[name]];
    if (before === undefined || after === undefined) continue;
    if (release === "to" && standsAfter(order, after.release, before.release))
      return `it rolls ${name} back, and ${after.release} is newer than ${before.release} in the ledger`;
    if (run !== undefined && (run === "on") !== after.run)
      return `it requires ${name} ${run}, which is declared ${after.run ? "on" : "off"}`;
  }
  const data = Object.entries(to.data).find(([database, pin]) => !dataFits(pins.data, from.data[database], pin));
  if (data !== undefined) return `${dataAsked(pins.data)}, and backout:data is ${showDataPin(data[1])}`;
  if (pins.schema !== undefined && pins.schema !== to.schema) return `it requires backout:schema "${pins.schema}", which is "${to.schema}"`;
  const mode = pins.maintenance?.mode;
  return mode === undefined || mode === to.maintenance.mode ? null : `it requires maintenance ${mode}, which is ${to.maintenance.mode}`;
}

function dataFits(asked: ScopeDefinition["pins"]["data"], from: DataPin | undefined, to: DataPin): boolean {
  if (asked === "snapshot") return to.kind === "snapshot";
  // Of several databases only those with the repair are repaired.
  if (typeof asked === "object") return to.kind === "current" || (to.kind === "repair" && to.repair === asked.repair);
  return to.kind === "current" || canonical(from) === canonical(to);
}

function dataAsked(asked: ScopeDefinition["pins"]["data"]): string {
  if (asked === "snapshot") return "it restores the data from a snapshot";
  return typeof asked === "object" ? `it repairs the data by ${asked.repair}` : "it leaves the data unchanged";
}
