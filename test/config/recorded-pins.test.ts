/** Pins that were recorded, put back into a stack file that says something else by now. */
import { expect, test } from "vitest";
import { editPins } from "../../config/edit.ts";
import { parseConfig } from "../../config/parse.ts";
import { canonical } from "../../config/pins.ts";
import { resolvePins } from "../../config/resolve-pins.ts";
import { recordedEdits } from "../../config/recorded-pins.ts";
import { definition, rawOf, STACK } from "./sample.ts";

const CHANGES: Record<string, Record<string, unknown>> = {
  "as deployed": {},
  "rolled back": { release: "v3.0.0", services: { worker: { run: "off" } }, data: "before-v4.0.0@1" },
  "one service apart, with settings": { services: { backend: { release: "v3.0.0", config: { A: "1" } } }, flags: { csv_export: true } },
  "in maintenance": { maintenance: { mode: "full", message: "Back at 6" }, schema: "mark", data: "quarantine:pfa_2" },
  "restored once more": { data: { snapshot: "before-v4.0.0@2", again: 1 }, services: { worker: { restart: 2 } } },
};
const textOf = (change: Record<string, unknown>): string =>
  editPins(
    STACK,
    Object.entries(change).map(([key, value]) => ({ path: [key], value })),
  );
const declaredIn = (text: string) => parseConfig(rawOf(text));
const pinsIn = (text: string) => resolvePins(declaredIn(text), definition);

for (const [from, one] of Object.entries(CHANGES))
  for (const [to, other] of Object.entries(CHANGES))
    test(`${from}, back to ${to}: the file asks for exactly that again, and its comments stay`, () => {
      const wanted = pinsIn(textOf(other));
      const text = editPins(textOf(one), recordedEdits(declaredIn(textOf(one)), wanted, pinsIn(textOf(one))));
      expect(canonical(pinsIn(text))).toBe(canonical(wanted));
      expect(text).toContain("# THE PINS. The release every service runs.");
    });
