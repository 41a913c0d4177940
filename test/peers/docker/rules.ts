/** What the inputs of a type are, and what a change of each means. */
import { randomBytes } from "node:crypto";
import type { CheckFailure } from "@pulumi/pulumi/provider/index.js";
import { UNKNOWN, type Values } from "../../../provider/resource.ts";
import { containsUnknown } from "../../../provider/wire.ts";

export interface Rule {
  /** A change makes the resource anew. Default: it is changed in place. */
  replaces?: true;
  /** Docker says what it is where the program does not. */
  computed?: true;
  /** Where the program says nothing. */
  default?: unknown;
  /** Its order means nothing. */
  set?: true;
  /** Where the program says nothing, or "": whatever it is. */
  emptyIsAny?: true;
  /** The name of what is made; one is chosen where the program gives none. */
  autonamed?: true;
  required?: true;
  allowed?: RegExp;
  /** What an entry of it may have. */
  keys?: readonly string[];
  /** Whether what is there is what is wanted. */
  same?: (is: unknown, wanted: unknown) => boolean;
}

export type Rules = Readonly<Record<string, Rule>>;

/** Inputs that the program did not give; what is written so is not shown to users. */
const DEFAULTS = "__defaults";

const NOT_KNOWN = "the stand-in of the docker plugin does not know it";

function defaultsOf(inputs: Values): string[] {
  const names = inputs[DEFAULTS];
  return Array.isArray(names) ? (names as string[]) : [];
}

/** The logical name, a dash and seven hexadecimal digits; the one it had, as long as it is the same thing. */
function autoname(logical: string, olds: Values): string {
  const had = olds["name"];
  if (typeof had === "string" && defaultsOf(olds).includes("name")) return had;
  return `${logical}-${randomBytes(4).toString("hex").slice(0, 7)}`;
}

/** Inputs with what the program left out. */
export function completed(rules: Rules, logical: string, olds: Values, news: Values): { inputs: Values; failures: CheckFailure[] } {
  const inputs: Values = { ...news };
  delete inputs[DEFAULTS];
  const failures: CheckFailure[] = [];
  for (const [property, value] of Object.entries(inputs)) {
    const rule = rules[property];
    const shown = JSON.stringify(value);
    if (rule === undefined) failures.push({ property, reason: `${NOT_KNOWN}; known are ${Object.keys(rules).join(", ")}` });
    else if (typeof value === "string" && rule.allowed?.test(value) === false)
      failures.push({ property, reason: `${shown} is not allowed: must match ${rule.allowed.source}` });
  }
  for (const [property, { keys }] of Object.entries(rules)) {
    const entries = keys === undefined ? [] : [inputs[property] ?? []].flat();
    const unknown = entries.flatMap((entry) => Object.keys(entry)).find((key) => !keys!.includes(key));
    if (unknown !== undefined) failures.push({ property: `${property}.${unknown}`, reason: `${NOT_KNOWN}; known are ${keys!.join(", ")}` });
  }
  const added: string[] = [];
  for (const [property, rule] of Object.entries(rules)) {
    if (inputs[property] !== undefined && inputs[property] !== null) continue;
    const value = rule.autonamed ? autoname(logical, olds) : rule.default;
    if (rule.required) failures.push({ property, reason: "is missing" });
    if (value === undefined) continue;
    inputs[property] = value;
    added.push(property);
  }
  inputs[DEFAULTS] = added.sort();
  return { inputs, failures };
}

/** A value without what says nothing (`false`, 0, "", nothing), so that it can be compared. */
export function canonical(value: unknown, set = false): unknown {
  if (Array.isArray(value)) {
    const items = value.map((item) => canonical(item));
    if (set) items.sort((one, other) => (JSON.stringify(one) < JSON.stringify(other) ? -1 : 1));
    return items.length === 0 ? null : items;
  }
  if (typeof value === "object" && value !== null) {
    const said = Object.entries(value)
      .map(([key, inner]) => [key, canonical(inner)] as const)
      .filter(([, inner]) => inner !== null)
      .sort(([one], [other]) => (one < other ? -1 : 1));
    return said.length === 0 ? null : Object.fromEntries(said);
  }
  return value === undefined || value === false || value === 0 || value === "" ? null : value;
}

export interface Changes {
  changed: string[];
  replaces: string[];
  deleteBeforeReplace: boolean;
}

/** @param olds the outputs, which are what a refresh found. */
export function changesOf(rules: Rules, olds: Values, news: Values, deletedFirst: boolean): Changes {
  const changed = Object.entries(rules)
    .filter(([property, rule]) => differs(rule, olds[property], news[property]))
    .map(([property]) => property);
  const replaces = changed.filter((property) => rules[property]!.replaces);
  // Two things of one name cannot be there at a time.
  const named = Object.entries(rules).some(([property, rule]) => rule.autonamed && !defaultsOf(news).includes(property));
  return { changed, replaces, deleteBeforeReplace: replaces.length > 0 && (deletedFirst || named) };
}

function differs(rule: Rule, is: unknown, wanted: unknown): boolean {
  if (wanted === UNKNOWN || containsUnknown(wanted)) return true;
  const nothing = wanted === undefined || wanted === null;
  if (nothing && rule.computed) return false;
  if ((nothing || wanted === "") && rule.emptyIsAny) return false;
  if (rule.same !== undefined) return !rule.same(is, wanted);
  return JSON.stringify(canonical(is, rule.set)) !== JSON.stringify(canonical(wanted, rule.set));
}

/** Values without what only inputs have. */
export function withoutDefaults({ [DEFAULTS]: _, ...values }: Values): Values {
  return values;
}

/** Inputs of what somebody else made: what is there and says something. */
export function inputsOf(rules: Rules, outs: Values): Values {
  const said = Object.entries(outs).filter(([property, value]) => {
    const rule = rules[property];
    if (rule === undefined) return false;
    return rule.required === true || (canonical(value) !== canonical(rule.default) && canonical(value) !== null);
  });
  return { ...Object.fromEntries(said), [DEFAULTS]: [] };
}
