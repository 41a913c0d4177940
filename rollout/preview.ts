/** What a crossing would do, told before it is done: changes, data, rows at risk, effects that cannot come back, arming, estimate. Touches nothing. */
import { restoredBy } from "../state/snapshots.ts";
import { readinessOf } from "./arming.ts";
import { constraintLines, previewConstraints, type ConstraintPreview } from "./constraint-preview.ts";
import { atRisk, carryRefusal, losses, type AtRisk } from "./at-risk.ts";
import { effectsSince, type EffectCount } from "./effects.ts";
import { copySeconds, estimate, type Estimate } from "./estimate.ts";
import type { CrossingPlan, DataAction } from "../config/plan.ts";
import { scopeText } from "../config/recorded-scope.ts";
import { openControl } from "../databases/open-state.ts";
import type { ControlRecord, Snapshot } from "../config/record.ts";
import { printable } from "../config/errors.ts";
import type { Maintenance } from "../config/pins.ts";
import type { Carry } from "../config/schema.ts";
import type { Site } from "../config/site.ts";
import { LARGE_OBJECTS } from "../databases/postgres/comparison-beyond.ts";
import { satisfies, type Looking } from "../databases/engine.ts";
import { engineOf } from "../databases/registry.ts";
import { unknownTables } from "./listed-tables.ts";
import type { SystemDefinition } from "../config/system/definition.ts";

export interface DatabasePreview {
  action: string;
  migrations: { up: string[]; back: string[]; backBy: string };
  /** Tables that the definition lists and no release has; absent: none. */
  unknownTables?: string[];
  /** Null: nothing is set aside, or nothing to compare with. */
  atRisk: AtRisk | null;
  /** Why it is not known. */
  unknown: string | null;
  armed: boolean | null;
  /** Why it is not armed; absent where it is, and where nothing is known. */
  notArmed?: string;
  /** Seconds that making the copy takes, before users are kept out; absent: it is there. */
  copyFirstSeconds?: number;
  /** It is replaced where it stands, in one transaction: users wait for as long as a restore takes. */
  inPlace?: true;
  /** What stays with the database that is set aside, in words. Absent: nothing does. */
  leftBehind?: string[];
  /** Rows written since that are put back, at most; null: none are, or it is not known. */
  putBack: number | null;
  /** Snapshot that is pinned and was restored before, so that nothing is restored, and what `again` restores it once more; absent: none. */
  descends?: { snapshot: string; again: number };
}

export interface CrossingPreview {
  scope: string | null;
  /** The one component the scope is for; absent: it is for none in particular. */
  component?: string;
  /** How the pins contradict the declared scope, in words; absent: they do not. */
  misfit?: string;
  /** Release of a crossing that was begun after `from` and never opened; absent: none. */
  begun?: string;
  from: string | null;
  to: string;
  /** It goes to an older release; absent where it does not. */
  back?: true;
  changes: string[];
  stops: string[];
  usersKeptOut: boolean;
  /** What users get once it is done; absent: everything. */
  maintenance?: Maintenance;
  take: string[];
  databases: Record<string, DatabasePreview>;
  /** Absent where the system has none. */
  constraints?: ConstraintPreview[];
  /** Components run somewhere else from now on; absent: where they did. */
  moves?: { from: Site["target"]; to: Site["target"] };
  /** Components that will run on a schema that is too new for them, in words; absent: none. */
  schemaAhead?: string[];
  effects: EffectCount[];
  estimate: Estimate;
}

/** How much longer dumping and restoring take than copying files: measured 9.0 s against 2.0 s, twice. */
const SLOWER_IN_PLACE = 9;

export interface PreviewOptions {
  exact: boolean;
  reached: boolean;
  carry?: Carry;
  before?: Pick<Site, "target">;
  /** As pinned. */
  maintenance?: Maintenance;
  /** Seconds that drills of a scope took, newest first; only asked where no crossing was like it. */
  rehearsed?: (project: string, system: string, scope: string | null) => number[];
}

export async function previewCrossing(
  site: Site,
  definition: SystemDefinition,
  plan: CrossingPlan,
  { exact, reached, carry = "export", before = site, maintenance, rehearsed = () => [] }: PreviewOptions,
): Promise<CrossingPreview> {
  const control = !reached ? null : await openControl(site, definition);
  try {
    const databases: Record<string, DatabasePreview> = {};
    let toCopyBytes = 0;
    for (const [name, database] of Object.entries(plan.databases)) {
      const snapshot = control === null ? null : restoredBy(database.action, await control.readySnapshots(), name);
      const { descends } = database;
      const ready = snapshot === null || control === null ? null : await readinessOf({ site, definition, control }, snapshot);
      const armed = ready?.armed ?? null;
      const inPlace = (await engineOf(definition, name)).driver({ site, definition, control }) === "in-place";
      const replaced = database.action.kind === "restore" || database.action.kind === "undo";
      // The safety dump first, then the restore.
      if (inPlace && replaced && reached)
        toCopyBytes += SLOWER_IN_PLACE * (await (await engineOf(definition, name)).liveBytes({ site, definition, control }, name));
      if (reached && plan.take.length > 0 && database.action.kind === "none")
        toCopyBytes += await (await engineOf(definition, name)).liveBytes({ site, definition, control }, name);
      const looked = control === null ? null : await lookAtRisk({ site, definition, control }, name, database.action, exact, carry);
      databases[name] = {
        action: describeAction(database.action),
        migrations: { up: database.up, back: database.back, backBy: database.backBy },
        ...(reached ? await unknownTables({ site, definition, control }, name) : {}),
        atRisk: looked?.rows ?? null,
        unknown: looked?.unknown ?? null,
        armed,
        ...(ready?.reason == null ? {} : { notArmed: ready.reason }),
        ...(armed === false && !inPlace ? { copyFirstSeconds: copySeconds(snapshot?.sizeBytes ?? 0) } : {}),
        ...(descends === undefined ? {} : { descends: { snapshot: `${descends.name}@${descends.generation}`, again: descends.again + 1 } }),
        ...(inPlace && replaced ? { inPlace } : {}),
        leftBehind: control === null ? [] : await leftBehind({ site, definition, control }, name, database.action, snapshot),
        putBack: carry === "reapply" && looked?.rows != null ? rowsPutBack(looked.rows, snapshot) : null,
      };
    }
    const earlierSeconds = control === null ? [] : await control.earlierSeconds(plan);
    return {
      scope: plan.scope,
      ...(plan.component === undefined ? {} : { component: plan.component }),
      ...(plan.misfit === undefined ? {} : { misfit: plan.misfit }),
      ...(plan.begun === undefined ? {} : { begun: plan.begun }),
      from: plan.fromRelease,
      to: plan.toRelease,
      ...(!plan.forward && plan.fromRelease !== plan.toRelease ? { back: true as const } : {}),
      changes: plan.changes.map(({ component, what }) => `${component}: ${what}`),
      ...(before.target === site.target ? {} : { moves: { from: before.target, to: site.target } }),
      stops: plan.stop,
      usersKeptOut: plan.closeGate,
      ...(maintenance === undefined || maintenance.mode === "off" ? {} : { maintenance }),
      take: plan.take.map(({ name }) => name),
      ...(plan.schemaAhead === undefined ? {} : { schemaAhead: plan.schemaAhead }),
      databases,
      ...(plan.constraints === undefined
        ? {}
        : {
            constraints: reached
              ? await previewConstraints(site, definition, control, plan)
              : plan.constraints.map((change) => ({ ...change, violations: null, problem: null })),
          }),
      effects: control === null || plan.forward ? [] : await effectsSince({ site, definition, control }),
      estimate: estimate({
        plan,
        earlierSeconds,
        rehearsedSeconds: plan.forward || earlierSeconds.length > 0 ? [] : rehearsed(site.project, definition.name, plan.scope),
        toCopyBytes,
        toPutBackRows: Object.values(databases).reduce((sum, { putBack }) => sum + (putBack ?? 0), 0),
      }),
    };
  } finally {
    await control?.end();
  }
}

/** A database that refuses connections is asked in its fence. */
async function leftBehind(at: Looking, database: string, action: DataAction, snapshot: Snapshot | null): Promise<string[]> {
  return (await engineOf(at.definition, database)).leftBehind(at, database, action, snapshot).catch(() => []);
}

async function lookAtRisk(
  at: Looking & { control: ControlRecord },
  database: string,
  action: DataAction,
  exact: boolean,
  carry: Carry,
): Promise<{ rows: AtRisk | null; unknown: string | null }> {
  if (action.kind !== "restore" && action.kind !== "undo") return { rows: null, unknown: null };
  try {
    // An attempt before has replaced it already.
    if (satisfies(await (await engineOf(at.definition, database)).lineage(at, database), action)) return { rows: null, unknown: null };
    const rows = await atRisk(at, database, action, exact);
    // To be refused for, it must be true: counters count what was taken back, too.
    const doubtful = carry === "refuse" && rows?.how === "estimated" && losses(rows).length > 0;
    return { rows: doubtful ? await atRisk(at, database, action, true) : rows, unknown: null };
  } catch (error) {
    return { rows: null, unknown: (error as Error).message };
  }
}

/** What `carry: refuse` refuses a plan for: what is counted. In the fence it is counted again. */
export function carryRefusals({ databases, to }: Pick<CrossingPreview, "databases" | "to">, carry: Carry): string[] {
  if (carry !== "refuse") return [];
  return Object.entries(databases).flatMap(([database, { atRisk: found }]) => {
    const refusal = found?.how === "counted" ? carryRefusal(database, to, found) : null;
    return refusal === null ? [] : [printable(`${refusal.told} ${refusal.instead}`)];
  });
}

/** Those of tables that the snapshot has: what it has no place for stays in the export. */
function rowsPutBack({ rows }: AtRisk, snapshot: Snapshot | null): number {
  const held = (snapshot?.manifest as { tables?: object } | null)?.tables;
  return Object.entries(rows)
    .filter(([table]) => held === undefined || table in held)
    .reduce((sum, [, { inserted, updated, deleted }]) => sum + inserted + updated + deleted, 0);
}

export function describeAction(action: DataAction): string {
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

interface Line {
  severity: "info" | "warning";
  line: string;
}

/** The preview as lines: what a person must know first comes first. */
export function previewLines(preview: CrossingPreview): Line[] {
  const lines: Line[] = [];
  const say = (line: string): void => void lines.push({ severity: "info", line });
  const warn = (line: string): void => void lines.push({ severity: "warning", line });
  const begun = preview.begun === undefined ? "" : `, then ${preview.begun}, which never opened`;
  const scope = preview.scope === null ? "" : ` (scope ${scopeText(preview.scope, preview.component)})`;
  say(`${preview.from ?? "nothing"}${begun} → ${preview.to}${scope}`);
  if (preview.misfit !== undefined) warn(preview.misfit);
  for (const change of preview.changes) say(change);
  if (preview.moves !== undefined)
    say(`target: ${preview.moves.from} → ${preview.moves.to}; components stop on the one before they start on the other`);
  for (const line of preview.schemaAhead ?? []) warn(line);
  for (const [name, database] of Object.entries(preview.databases)) {
    if (database.action !== "data stays") say(`${name}: ${database.action}`);
    else if (preview.back === true) warn(`${name}: data stays as it is: what the newer release wrote is NOT taken back`);
    if (database.descends !== undefined)
      warn(
        `${name}: nothing is restored: the data descends from ${database.descends.snapshot} already; to restore it once more pin {snapshot: ${database.descends.snapshot}, again: ${database.descends.again}}`,
      );
    if (database.migrations.up.length > 0) say(`${name}: migrations applied: ${database.migrations.up.join(", ")}`);
    if (database.migrations.back.length > 0) say(`${name}: schema ${database.migrations.backBy}: ${database.migrations.back.join(", ")}`);
    for (const table of database.unknownTables ?? [])
      warn(`${name}: "tables" of the definition lists ${table}, which neither the database nor a migration has: correct the name`);
    if (database.inPlace === true)
      warn(`${name}: replaced where it stands, in one transaction, after a safety dump: slower than a rename, and users wait meanwhile`);
    else if (database.armed === true) say(`${name}: the snapshot is armed: the cut-over is a rename`);
    if (database.armed === false) warn(`${name}: ${notArmedLine(database)}`);
    for (const line of database.leftBehind ?? []) warn(`${name}: ${line}`);
    if (database.unknown !== null) warn(`${name}: data at risk is unknown: ${database.unknown}`);
    if (database.atRisk !== null) lines.push(...riskLines(name, database.atRisk));
    if (database.putBack != null)
      say(
        `${name}: up to ${database.putBack} of these rows are put back before users are let in (carry: reapply); what clashes is left out and told`,
      );
    const objects = database.atRisk?.rows[LARGE_OBJECTS];
    if (database.putBack != null && objects !== undefined && objects.inserted + objects.updated + objects.deleted > 0)
      warn(`${name}: large objects are not put back (carry: reapply); rows that point at one that came since are left out and told`);
  }
  for (const { severity, line } of constraintLines(preview.constraints ?? [])) (severity === "warning" ? warn : say)(line);
  if (preview.take.length > 0) say(`snapshot taken first: ${preview.take.join(", ")}`);
  if (preview.stops.length > 0) say(`stops, in this order: ${preview.stops.join(", ")}`);
  for (const { component, title, rows, unknown } of preview.effects)
    if (rows !== 0) warn(`cannot come back: ${title} (${component}): ${rows ?? `unknown how many: ${unknown ?? ""}`}`);
  const { usersKeptOut, estimate: lasts, maintenance } = preview;
  if (usersKeptOut) say(`users get 503 for about ${lasts.seconds} s (${lasts.basis})`);
  else if (maintenance?.mode !== "full") say("users are not kept out");
  if (maintenance !== undefined) warn(maintenanceLine(maintenance));
  return lines;
}

function notArmedLine({ notArmed, copyFirstSeconds, inPlace }: DatabasePreview): string {
  const because = notArmed === undefined ? "" : ` (${notArmed})`;
  if (inPlace === true) return `whether the snapshot can be brought back was not tried on what is there now${because}`;
  return `the snapshot is NOT armed${because}: its copy is made first, in about ${copyFirstSeconds ?? 0} s, while users are in; or wait until status says that it is armed`;
}

/** What users get for as long as maintenance is pinned. */
export function maintenanceLine({ mode, message }: Maintenance): string {
  const what = mode === "full" ? "users are kept out (503)" : "users can read and not write (writes get 503)";
  return `maintenance ${mode}: ${what} until backout:maintenance is lifted${message === "" ? "" : `; they read: ${message}`}`;
}

function riskLines(database: string, { rows, how, unknown, notCompared, notes }: AtRisk): Line[] {
  const touched = Object.entries(rows).filter(([, table]) => table.inserted + table.updated + table.deleted > 0);
  const lines: Line[] = touched.map(([table, { inserted, updated, deleted }]) => ({
    severity: "warning",
    line: `${database}: rows at risk (${how}) in ${shown(table)}: ${inserted} inserted, ${updated} updated, ${deleted} deleted; kept in quarantine and export`,
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
          : `${database}: the server's counters tell of no row written since (estimated); --exact counts`,
    });
  return [...lines, ...notes.map((note): Line => ({ severity: "info", line: `${database}: ${note}` }))];
}

function shown(table: string): string {
  return table === LARGE_OBJECTS ? "large objects (pieces of 64 KB)" : table;
}
