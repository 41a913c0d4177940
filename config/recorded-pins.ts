/** Writes recorded pins back into a stack file. Pure. */
import { constraintEdits } from "./constraints.ts";
import type { PinEdit } from "./edit.ts";
import { canonical, type DataPin, type Pins } from "./pins.ts";
import { configOf } from "./resolve-pins.ts";
import { isReference, SecretConfigUnknownError } from "./secret-config.ts";
import type { DataPinText, StackConfig } from "./schema.ts";

/**
 * The edits after which the stack file declares `pins`; lines that already say the same in another form stay.
 * @param asked what it declares now
 * @throws SecretConfigUnknownError
 */
export function recordedEdits(config: StackConfig, pins: Pins, asked: Pins, unknown: UnknownSecret = refuseUnknown): PinEdit[] {
  const edits: PinEdit[] = [{ path: ["release"], value: pins.release }];
  for (const [name, pin] of Object.entries(pins.services)) {
    const now = config.services[name] ?? {};
    if ((now.release ?? pins.release) !== pin.release)
      edits.push({ path: ["services", name, "release"], value: pin.release === pins.release ? undefined : pin.release });
    if ((now.run !== "off") !== pin.run) edits.push({ path: ["services", name, "run"], value: pin.run ? undefined : "off" });
    if (now.restart !== pin.restart) edits.push({ path: ["services", name, "restart"], value: pin.restart });
    const came = config.releases[pin.release]?.services[name]?.config;
    for (const [key, value] of settings(now.config, came, pin.config)) {
      if (!isReference(pin.config[key])) edits.push({ path: ["services", name, "config", key], value });
      // The release's own settings are restored with it.
      else if (now.config?.[key] !== undefined && asked.services[name]?.config[key] !== pin.config[key]) unknown(name, key);
    }
  }
  if (canonical(asked.data) !== canonical(pins.data)) edits.push({ path: ["data"], value: dataText(pins.data) });
  if (config.schema !== pins.schema) edits.push({ path: ["schema"], value: pins.schema });
  const { flags: came } = config.releases[pins.release] ?? {};
  for (const [flag, value] of differing(config.flags, came, pins.flags)) edits.push({ path: ["flags", flag], value });
  edits.push(...constraintPins(config, pins));
  const { mode, message } = pins.maintenance;
  if (config.maintenance.mode !== mode || (config.maintenance.message ?? "") !== message)
    edits.push({ path: ["maintenance"], value: mode === "off" ? "off" : message === "" ? { mode } : { mode, message } });
  return edits;
}

/** What to write or remove, so that overrides and the release's own settings together are the wanted ones. */
function differing<T>(written: Record<string, T> = {}, came: Record<string, T> = {}, wanted: Record<string, T>): [string, T | undefined][] {
  const keys = new Set([...Object.keys(written), ...Object.keys(wanted)]);
  return [...keys]
    .filter((key) => (written[key] ?? came[key]) !== wanted[key])
    .map((key) => [key, came[key] === wanted[key] ? undefined : wanted[key]]);
}

/** Reports a setting whose value was another secret: it stays as declared now. */
export type UnknownSecret = (service: string, key: string) => void;

const refuseUnknown: UnknownSecret = (service, key) => {
  throw new SecretConfigUnknownError(`services.${service}.config.${key}`);
};

/** The same for settings; `null` removes one of the release. */
function settings(
  written: Record<string, string | null> = {},
  came: Record<string, string> = {},
  wanted: Record<string, string>,
): [string, string | null | undefined][] {
  const now = configOf(came, written);
  const keys = new Set([...Object.keys(written), ...Object.keys(came), ...Object.keys(wanted)]);
  return [...keys]
    .filter((key) => now[key] !== wanted[key])
    .map((key) => [key, came[key] === wanted[key] ? undefined : (wanted[key] ?? null)]);
}

function constraintPins(config: StackConfig, { release, constraints = {}, definitions = {} }: Pins): PinEdit[] {
  const changes = Object.entries(constraints).map(([name, state]) => {
    const definition = definitions[name];
    return [name, definition === undefined ? { state } : { state, definition }] as const;
  });
  return constraintEdits({ ...config, release }, Object.fromEntries(changes));
}

/** As a person writes it: one pin if there is one database, or if all are equal. */
export function dataText(data: Record<string, DataPin>): DataPinText | Record<string, DataPinText> {
  const texts = Object.entries(data).map(([database, pin]) => [database, pinText(pin)] as const);
  if (texts.length === 1) return texts[0]![1];
  return texts.every(([, text]) => text === "current") ? "current" : Object.fromEntries(texts);
}

function pinText(pin: DataPin): DataPinText {
  if (pin.kind === "current") return "current";
  if (pin.kind === "quarantine") return `quarantine:${pin.name}`;
  const snapshot = pin.kind === "repair" ? pin.snapshot : pin;
  const named = snapshot === null ? {} : { snapshot: `${snapshot.name}${snapshot.generation === null ? "" : `@${snapshot.generation}`}` };
  const again = pin.again > 0 ? { again: pin.again } : {};
  if (pin.kind === "repair") return { repair: pin.repair, with: pin.with, ...named, ...again };
  return pin.again > 0 ? { snapshot: named.snapshot!, again: pin.again } : named.snapshot!;
}
