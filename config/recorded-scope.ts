/** Which scope a rollout is recorded as: the one that is declared, unless the pins say plainly that they are none of it. Pure. */
import { standsAfter } from "./ledger.ts";
import { canonical, showDataPin, type DataPin, type Pins, type ScopePin } from "./pins.ts";
import type { ScopeDefinition, SystemDefinition } from "./system/definition.ts";

export interface RecordedScope {
  /** Null: none is declared, or the pins contradict it. */
  scope: string | null;
  /** The one service it is for; absent: it is for none in particular. */
  service?: string;
  /** How the pins contradict what is declared, in words. */
  misfit?: string;
}

export interface ScopeQuestion {
  definition: SystemDefinition;
  scope: ScopePin | null;
  from: Pins | null;
  to: Pins;
  /** The last rollout has not opened: what it began is gone on with, whatever release was left. */
  unfinished: boolean;
  order: readonly string[];
}

export function recordedScope(question: ScopeQuestion): RecordedScope {
  const { scope: declared, definition } = question;
  if (declared === null) return { scope: null };
  const { name, service } = declared;
  const scope = definition.scopes[name];
  const why = scope === undefined ? "there is no such scope" : contradiction(scope, question);
  if (why === null) return { scope: name, ...(service === undefined ? {} : { service }) };
  return { scope: null, misfit: `backout:scope "${name}" is not recorded: ${why}; remove it, or pin what it asks for` };
}

/** A scope in words, with the service it is for. */
export function scopeText(scope: string, service: string | undefined): string {
  return service === undefined ? scope : `${scope} of ${service}`;
}

/** The first thing that the scope asks for and the pins do not say. */
function contradiction({ pins }: ScopeDefinition, { scope, from, to, unfinished, order }: ScopeQuestion): string | null {
  if (from === null) return "it is a way back, and nothing is deployed yet";
  if (standsAfter(order, to.release, from.release)) return `it is a way back, and ${to.release} stands after ${from.release} in the ledger`;
  if (pins.release === "to" && to.release === from.release && !unfinished) return `it takes the release back, and ${to.release} stays`;
  const asked = { ...pins.services, ...(scope?.service === undefined ? {} : { [scope.service]: pins.service ?? {} }) };
  for (const [name, { release, run }] of Object.entries(asked)) {
    const [before, after] = [from.services[name], to.services[name]];
    if (before === undefined || after === undefined) continue;
    if (release === "to" && standsAfter(order, after.release, before.release))
      return `it takes ${name} back, and ${after.release} stands after ${before.release} in the ledger`;
    if (run !== undefined && (run === "on") !== after.run) return `it wants ${name} ${run}, which is declared ${after.run ? "on" : "off"}`;
  }
  const data = Object.entries(to.data).find(([database, pin]) => !dataFits(pins.data, from.data[database], pin));
  if (data !== undefined) return `${dataAsked(pins.data)}, and backout:data is ${showDataPin(data[1])}`;
  if (pins.schema !== undefined && pins.schema !== to.schema) return `it wants backout:schema "${pins.schema}", which is "${to.schema}"`;
  const mode = pins.maintenance?.mode;
  return mode === undefined || mode === to.maintenance.mode ? null : `it wants maintenance ${mode}, which is ${to.maintenance.mode}`;
}

function dataFits(asked: ScopeDefinition["pins"]["data"], from: DataPin | undefined, to: DataPin): boolean {
  if (asked === "snapshot") return to.kind === "snapshot";
  // Of several databases only those that have the repair are mended.
  if (typeof asked === "object") return to.kind === "current" || (to.kind === "repair" && to.repair === asked.repair);
  return to.kind === "current" || canonical(from) === canonical(to);
}

function dataAsked(asked: ScopeDefinition["pins"]["data"]): string {
  if (asked === "snapshot") return "it brings the data back from a snapshot";
  return typeof asked === "object" ? `it mends the data by ${asked.repair}` : "it leaves the data as it is";
}
