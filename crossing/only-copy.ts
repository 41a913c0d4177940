/** Quarantines that hold what no export does: the only copy of it, which never goes without being named and confirmed. */
import { readFileSync } from "node:fs";
import type { CatalogueDatabase, ControlRecord } from "../control/record.ts";
import { commandOf, upCommand } from "../declared/commands.ts";
import type { Declared } from "../declared/schema.ts";
import type { Site } from "../declared/site.ts";
import type { NotCompared } from "../postgres/comparison-beyond.ts";
import { manifestPath } from "../postgres/export-file.ts";
import { exportFolder } from "./exports.ts";

interface Looking {
  site: Site;
  control: Pick<ControlRecord, "crossing">;
}

/** What no export holds of each quarantine to which users wrote, in words. Left out: those of which an export holds everything. */
export async function onlyCopies({ site, control }: Looking, catalogue: readonly CatalogueDatabase[]): Promise<Map<string, string[]>> {
  const unopened = await neverWritten(control, catalogue);
  const found = new Map<string, string[]>();
  for (const { name, database, epoch } of catalogue.filter(({ role, name }) => role === "quarantine" && !unopened.includes(name))) {
    const crossing = await control.crossing(epoch);
    const missing = crossing === null ? [] : inNoExport(site, crossing.runId, database);
    if (missing.length > 0) found.set(name, missing);
  }
  return found;
}

interface Told {
  notCompared?: NotCompared[];
  unreadable?: Record<string, string>;
}

function inNoExport(site: Site, runId: string, database: string): string[] {
  let told: Told;
  try {
    told = JSON.parse(readFileSync(manifestPath(exportFolder(site, runId, database), runId), "utf8")) as Told;
  } catch {
    return ["there is no export of it"];
  }
  return [
    ...(told.notCompared ?? []).filter(({ mayBeLost }) => mayBeLost).map(({ kind, name }) => `${kind} ${name}`),
    ...Object.keys(told.unreadable ?? {}).map((table) => `table ${table}, which is damaged`),
  ];
}

/** Quarantines of data that was set aside before anybody was let in to it. */
export async function neverWritten(control: Pick<ControlRecord, "crossing">, catalogue: readonly CatalogueDatabase[]): Promise<string[]> {
  const names: string[] = [];
  for (const { name, epoch } of catalogue.filter(({ role }) => role === "quarantine")) {
    let before = await control.crossing(epoch - 1);
    // What was refused changed nothing.
    while (before?.state === "refused") before = await control.crossing(before.epoch - 1);
    if (before !== null && before.openedAt === null) names.push(name);
  }
  return names;
}

/** How a quarantine that is kept is dropped all the same. */
export function dropCommand({ project, stack }: Pick<Site, "project" | "stack">, { drop = [] }: Declared["backups"], name: string): string {
  const set = `config set --stack ${stack} --path 'backout:backups.drop[${drop.length}]' ${name}`;
  return `${commandOf(project, "pulumi", set)} && ${upCommand({ project, stack })}`;
}
