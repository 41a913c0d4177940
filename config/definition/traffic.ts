/** Schema and rules for how users reach a system. */
import { z } from "zod";
import type { SystemDefinition } from "../system/definition.ts";
import type { GateTraffic, SwitchedTraffic, TlsFiles } from "../system/traffic.ts";
import { isSwitched, listenTexts, parseAddress } from "../traffic.ts";
import { among, type Fail } from "./rule.ts";
import { mapOf, name, positive, type For } from "./values.ts";

export const gateTraffic = {
  listen: z.union([name, mapOf(name)]).optional(),
  tls: z.strictObject({ certificate: name, key: name } satisfies For<TlsFiles>).optional(),
} satisfies For<GateTraffic>;

const action = z.union([z.array(name).min(1, "must name a program"), name]);

const switched = {
  open: action,
  close: action,
  check: action.optional(),
  timeoutSeconds: positive.optional(),
} satisfies For<SwitchedTraffic>;

/** One object, so that a slip in a key is named; which keys go together is a rule. */
export const traffic = z.union([
  z.literal("none"),
  z.strictObject({ ...gateTraffic, ...switched, open: action.optional(), close: action.optional() }),
]);

const GATE_KEYS = Object.keys(gateTraffic);
const SWITCH_KEYS = Object.keys(switched);

export function wrongTraffic(system: SystemDefinition, fail: Fail): void {
  const { traffic: declared, scopes } = system;
  if (declared === undefined) return;
  if (declared === "none" || SWITCH_KEYS.some((key) => key in declared))
    for (const [scope, { pins }] of Object.entries(scopes)) {
      const mode = pins.maintenance?.mode;
      if (mode !== undefined && !allowsMaintenance(system, mode))
        fail(`scopes.${scope}.pins.maintenance.mode`, mode, noSuchMaintenance(system));
    }
  if (declared === "none") return;
  const given = Object.keys(declared);
  const [ofGate, ofSwitch] = [given.filter((key) => GATE_KEYS.includes(key)), given.filter((key) => SWITCH_KEYS.includes(key))];
  if (ofGate.length > 0 && ofSwitch.length > 0)
    fail(
      "traffic",
      declared,
      `${ofGate.join(", ")} belongs to backout's own proxy, ${ofSwitch.join(", ")} to another: declare one of them`,
    );
  else if (ofSwitch.length > 0) wrongSwitch(declared as Partial<SwitchedTraffic>, fail);
  else wrongListen(system, declared as GateTraffic, "traffic", fail);
}

function wrongSwitch(declared: Partial<SwitchedTraffic>, fail: Fail): void {
  for (const key of ["open", "close"] as const)
    if (declared[key] === undefined) fail(`traffic.${key}`, undefined, "`open` and `close` go together: name a command or a url");
  for (const key of ["open", "close", "check"] as const) {
    const action = declared[key];
    if (typeof action !== "string") continue;
    const protocol = URL.canParse(action) ? new URL(action).protocol : "";
    if (protocol !== "http:" && protocol !== "https:")
      fail(`traffic.${key}`, action, 'must be a url that begins with http:// or https://; a command is a list: ["nginx-close", "shop"]');
  }
}

/** @param path of the declaration, for errors */
export function wrongListen({ listeners }: Pick<SystemDefinition, "listeners">, declared: GateTraffic, path: string, fail: Fail): void {
  const services = Object.values(listeners).map(({ service }) => service);
  if (typeof declared.listen === "string" && services.length !== 1)
    fail(`${path}.listen`, declared.listen, `the system has the listeners ${services.join(", ") || "none"}: name each with its address`);
  const texts = listenTexts(declared, services);
  const isListener = among(fail, "listener", services);
  const taken = new Map<string, string>();
  for (const [service, text] of Object.entries(texts)) {
    const at = typeof declared.listen === "string" ? `${path}.listen` : `${path}.listen.${service}`;
    isListener(at, service);
    const address = parseAddress(text);
    if (address === null) fail(at, text, "must be an address and a port, e.g. 0.0.0.0:8080 or [::]:8080");
    const other = taken.get(text);
    if (other !== undefined) fail(at, text, `${other} listens there already: use different ports`);
    taken.set(text, service);
  }
}

/** Only backout's own proxy can tell requests that read from those that write; and without any nobody can be kept out. */
export function allowsMaintenance({ traffic: declared }: Pick<SystemDefinition, "traffic">, mode: string): boolean {
  if (mode === "off") return true;
  return declared === "none" ? false : !isSwitched(declared) || mode === "full";
}

export function noSuchMaintenance({ traffic: declared }: Pick<SystemDefinition, "traffic">): string {
  return declared === "none"
    ? "with traffic `none` nobody can be kept out: use `off`"
    : "traffic that others switch is open or closed: use `full` or `off`";
}
