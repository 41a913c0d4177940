/** A preview as a person reads it: what must be known first comes first. */
import type { RolloutPreview, DatabasePreview } from "./preview.ts";
import { scopeText } from "../config/recorded-scope.ts";
import type { AtRisk } from "./at-risk.ts";
import { changesInWords } from "../databases/shared/at-risk.ts";
import { LARGE_OBJECTS } from "../databases/shared/not-compared.ts";
import { constraintLines } from "./constraint-preview.ts";
import type { DataAction } from "../config/plan.ts";
import type { Maintenance } from "../config/pins.ts";

export interface Line {
  severity: "info" | "warning";
  line: string;
}

/** The preview as lines: what a person must know first comes first. */
export function previewLines(preview: RolloutPreview): Line[] {
  const lines: Line[] = [];
  const say = (line: string): void => void lines.push({ severity: "info", line });
  const warn = (line: string): void => void lines.push({ severity: "warning", line });
  const begun = preview.begun === undefined ? "" : `, then ${preview.begun}, which never opened`;
  const scope = preview.scope === null ? "" : ` (scope ${scopeText(preview.scope, preview.service)})`;
  say(`${preview.from ?? "nothing"}${begun} → ${preview.to}${scope}`);
  if (preview.misfit !== undefined) warn(preview.misfit);
  for (const change of preview.changes) say(change);
  if (preview.moves !== undefined)
    say(`target: ${preview.moves.from} → ${preview.moves.to}; services stop on the one before they start on the other`);
  for (const line of preview.schemaAhead ?? []) warn(line);
  for (const [name, database] of Object.entries(preview.databases)) {
    if (database.action.kind !== "none") say(`${name}: ${describeAction(database.action)}`);
    else if (preview.back === true) warn(`${name}: data stays as it is: what the newer release wrote is NOT reverted`);
    if (database.descends !== undefined)
      warn(
        `${name}: nothing is restored: the data descends from ${database.descends.snapshot} already; to restore it once more pin {snapshot: ${database.descends.snapshot}, again: ${database.descends.again}}`,
      );
    if (database.schema !== undefined) say(`${name}: schema: ${database.schema.from ?? "empty"} → ${database.schema.to ?? "empty"}`);
    if (database.migrations.up.length > 0) say(`${name}: migrations applied: ${database.migrations.up.join(", ")}`);
    if (database.migrations.back.length > 0) say(`${name}: schema ${database.migrations.backBy}: ${database.migrations.back.join(", ")}`);
    for (const table of database.unknownTables ?? [])
      warn(`${name}: "tables" of the definition lists ${table}, which neither the database nor a migration has: correct the name`);
    if (database.inPlace === true)
      warn(`${name}: replaced where it stands, in one transaction, after a safety dump: slower than a rename, users wait`);
    else if (database.standby === true) say(`${name}: the snapshot has its standby copy: the cut-over is a rename`);
    if (database.standby === false) warn(`${name}: ${noStandbyLine(database)}`);
    for (const line of database.leftBehind ?? []) warn(`${name}: ${line}`);
    if (database.unknown !== null) warn(`${name}: data at risk is unknown: ${database.unknown}`);
    if (database.atRisk !== null) lines.push(...riskLines(name, database.atRisk));
    if (database.putBack != null)
      say(
        `${name}: up to ${database.putBack} of these rows are put back before users are let in (newWrites: reapply); conflicts are left out and reported`,
      );
    else if (["restore", "undo"].includes(database.action.kind) && Object.values(database.atRisk?.rows ?? {}).some(isTouched))
      say(
        `${name}: to put back those of these rows that the schema can hold: backout:newWrites: reapply, or --new-writes reapply of the verb`,
      );
    const objects = database.atRisk?.rows[LARGE_OBJECTS];
    if (database.putBack != null && objects !== undefined && isTouched(objects))
      warn(`${name}: large objects are not put back (newWrites: reapply); rows that refer to a newer one are left out and reported`);
  }
  for (const { severity, line } of constraintLines(preview.constraints ?? [])) (severity === "warning" ? warn : say)(line);
  if (preview.take.length > 0) say(`snapshot taken first: ${preview.take.join(", ")}`);
  if (preview.stops.length > 0) say(`stops, in this order: ${preview.stops.join(", ")}`);
  for (const { service, title, rows, unknown } of preview.effects)
    if (rows !== 0) warn(`cannot be undone: ${title} (${service}): ${rows ?? `unknown number: ${unknown ?? ""}`}`);
  const { usersKeptOut, estimate: lasts, maintenance } = preview;
  if (usersKeptOut && preview.keptOutBy === null) warn(unkeptLine(preview));
  else if (usersKeptOut && preview.keptOutBy !== undefined)
    say(`users are kept out for about ${lasts.seconds} s (${lasts.basis}) by: ${preview.keptOutBy}`);
  else if (usersKeptOut) say(`users get 503 for about ${lasts.seconds} s (${lasts.basis})`);
  else if (maintenance?.mode !== "full") say("users are not kept out");
  if (maintenance !== undefined) warn(maintenanceLine(maintenance));
  return lines;
}

/** Without a gate. */
function unkeptLine({ withoutAnswer = [], estimate: lasts }: RolloutPreview): string {
  const seen =
    withoutAnswer.length === 0
      ? "their requests go on, and those that need the data fail"
      : `they get no answer from ${withoutAnswer.join(", ")}`;
  return `nobody keeps users out (traffic: none): for about ${lasts.seconds} s (${lasts.basis}) ${seen}; what starts serves them before it is verified; only the data is fenced`;
}

function describeAction(action: DataAction): string {
  switch (action.kind) {
    case "none":
      return "data stays";
    case "create":
      return "made new";
    case "restore":
      return `restored from ${action.snapshot}@${action.generation}${action.again > 0 ? ` (again: ${action.again})` : ""}; what is there now goes into quarantine`;
    case "repair":
      return `repaired in place by ${action.repair}${action.snapshot === null ? "" : ` from ${action.snapshot.name}@${action.snapshot.generation}`}; a checked snapshot is taken first`;
    case "undo":
      return `${action.quarantine} comes back; what is there now goes into quarantine`;
  }
}

function noStandbyLine({ noStandby, copyFirstSeconds, inPlace }: DatabasePreview): string {
  const because = noStandby === undefined ? "" : ` (${noStandby})`;
  if (inPlace === true) return `restoring the snapshot over the current data was not tested${because}`;
  return `the snapshot has NO standby copy${because}: the copy is made first, in about ${copyFirstSeconds ?? 0} s, while users are in; or wait until status shows a standby copy`;
}

/** What users get for as long as maintenance is pinned. */
export function maintenanceLine({ mode, message }: Maintenance): string {
  const what = mode === "full" ? "users are kept out (503)" : "users can read and not write (writes get 503)";
  return `maintenance ${mode}: ${what} until backout:maintenance is lifted${message === "" ? "" : `; they read: ${message}`}`;
}

function isTouched({ inserted, updated, deleted }: AtRisk["rows"][string]): boolean {
  return inserted + updated + deleted > 0;
}

function riskLines(database: string, { rows, how, unknown, notCompared, notes }: AtRisk): Line[] {
  const touched = Object.entries(rows).filter(([, table]) => isTouched(table));
  const lines: Line[] = touched.map(([table, changes]) => ({
    severity: "warning",
    line: `${database}: rows at risk (${how}) in ${shown(table)}: ${changesInWords(changes)}; kept in quarantine and export`,
  }));
  for (const [table, why] of Object.entries(unknown))
    lines.push({ severity: "warning", line: `${database}: rows at risk in ${shown(table)} are unknown: ${why}; --exact counts them` });
  for (const { kind, name, why, mayBeLost, compared } of notCompared)
    lines.push({
      severity: mayBeLost ? "warning" : "info",
      line: `${database}: ${compared === true ? "" : "not compared and "}in no export: ${kind} ${name}: ${why}`,
    });
  if (lines.every(({ severity }) => severity === "info"))
    lines.unshift({
      severity: "info",
      line:
        how === "counted"
          ? `${database}: no rows at risk (counted)`
          : `${database}: no row written since by the server's counters (estimated); --exact counts`,
    });
  return [...lines, ...notes.map((note): Line => ({ severity: "info", line: `${database}: ${note}` }))];
}

function shown(table: string): string {
  return table === LARGE_OBJECTS ? "large objects (pieces of 64 KB)" : table;
}
