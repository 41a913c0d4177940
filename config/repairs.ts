/** Repairs a data pin can name: those of the definition, and `rows`, which every database has. */
import type { SystemDefinition } from "./system/definition.ts";
import type { RepairTerms } from "./system/repair.ts";
import type { DataPin } from "./pins.ts";
import { suggestion } from "./errors.ts";

/** The repair that every database has; `rollout/repairs/repair.ts` runs it. */
const ROWS: RepairTerms = {
  title: "Named rows are reset to their content in the snapshot",
  arguments: { rows: { title: "rows as <table>/<primary key>, separated by commas" } },
  readsSnapshot: true,
};

export function repairsOf(definition: SystemDefinition, database: string): Record<string, RepairTerms> {
  return { rows: ROWS, ...definition.databases[database]?.repairs };
}

/** Errors of a pinned repair: its name, its snapshot, its arguments. */
export function wrongRepair(
  definition: SystemDefinition,
  database: string,
  pin: Extract<DataPin, { kind: "repair" }>,
): { at: string; value: unknown; allowed: string }[] {
  const repairs = repairsOf(definition, database);
  const names = Object.keys(repairs);
  const repair = Object.hasOwn(repairs, pin.repair) ? repairs[pin.repair] : undefined;
  if (repair === undefined)
    return [{ at: "data.repair", value: pin.repair, allowed: `${database} has ${names.join(", ")}${suggestion(pin.repair, names)}` }];
  const wrong: { at: string; value: unknown; allowed: string }[] = [];
  if (repair.readsSnapshot && pin.snapshot === null)
    wrong.push({ at: "data.snapshot", value: undefined, allowed: `repair ${pin.repair} reads a snapshot: give its exact name` });
  if (!repair.readsSnapshot && pin.snapshot !== null)
    wrong.push({ at: "data.snapshot", value: pin.snapshot.name, allowed: `repair ${pin.repair} reads no snapshot` });
  const known = Object.keys(repair.arguments);
  for (const name of Object.keys(pin.with))
    if (!known.includes(name))
      wrong.push({
        at: `data.with.${name}`,
        value: name,
        allowed: `repair ${pin.repair} takes ${known.join(", ")}${suggestion(name, known)}`,
      });
  for (const [name, { title, optional }] of Object.entries(repair.arguments))
    if (optional !== true && (pin.with[name] ?? "") === "")
      wrong.push({ at: `data.with.${name}`, value: undefined, allowed: `repair ${pin.repair} needs it: ${title}` });
  return wrong;
}
