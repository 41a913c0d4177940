/**
 * Data whose schema a pinned release does not take. Found in the plan: later it would be found inside the fence, with users kept out. Pure.
 *
 * A release runs on data to which every migration that it needs is or can be applied. Newer migrations do no harm unless the database declares
 * that they break older releases. Data that stays and is too new for its release is reported by `schemaAhead` and not refused: a rollback may take
 * two steps.
 */
import { showDataPin, type Pins } from "../config/pins.ts";
import type { SystemDefinition } from "../config/system/definition.ts";
import type { RecordedMigrations } from "../config/system/check.ts";
import type { DatabasePlan } from "../config/plan.ts";

export interface Misfit {
  /** Needed, and in a state from which they cannot be applied. */
  missing: string[];
  /** To be rolled back by their down scripts, and in a state in which that is impossible. */
  stuck: string[];
  /** Applied, newer than a release that breaks on them accepts, and not rolled back. */
  tooMany: string[];
}

export interface SchemaQuestion {
  definition: SystemDefinition;
  database: string;
  pins: Pins;
  plan: Pick<DatabasePlan, "action" | "back" | "backBy">;
  /** What the data that will be there says of itself. */
  data: RecordedMigrations;
  /** The migration tool refuses revisions that it does not know, so that releases break on newer ones. Absent: it does not. */
  refuses?: boolean;
}

export function misfit({ definition, database, pins, plan, data, refuses = false }: SchemaQuestion): Misfit {
  const { migrations, newerSchema } = definition.databases[database]!;
  const order = migrations.map(({ name }) => name);
  const needed = order.slice(0, order.indexOf(pins.needs[database] ?? "") + 1);
  const beyond = order.slice(needed.length);
  const half = (name: string): boolean => data.unfinished.includes(name);
  const gone = plan.backBy === "keep" ? [] : plan.action.kind === "undo" ? beyond : plan.back;
  const brought = plan.action.kind === "restore" || plan.action.kind === "undo";
  const taken = Math.min(...takers(pins, database).map(({ newest }) => order.indexOf(newest)));
  const newer = Number.isFinite(taken) ? order.slice(taken + 1) : [];
  return {
    missing: needed.filter((name) => !data.applied.includes(name) && half(name)),
    stuck: plan.backBy === "down" ? gone.filter(half) : [],
    tooMany:
      brought && (newerSchema === "breaks" || refuses) && newer.length + data.unknown.length > 0 && Number.isFinite(taken)
        ? [
            ...newer.filter((name) => !gone.includes(name) && (needed.includes(name) || data.applied.includes(name) || half(name))),
            ...data.unknown,
          ]
        : [],
  };
}

/** Services that break on a newer schema of the database, with the newest migration each was made for. */
export function takers(pins: Pins, database: string): { service: string; newest: string }[] {
  return Object.entries(pins.runsOn ?? {}).flatMap(([service, databases]) => {
    const newest = databases[database];
    return newest === undefined ? [] : [{ service, newest }];
  });
}

/** @param fitting snapshots of the database that the same releases take, as they are pinned */
export function schemaRefusal(question: SchemaQuestion, fitting: readonly string[], ranOn: string | null): string | null {
  const { database, pins, plan } = question;
  const { missing, stuck, tooMany } = misfit(question);
  if (missing.length + stuck.length + tooMany.length === 0) return null;
  const stays = plan.action.kind === "none" || plan.action.kind === "repair";
  const data = stays ? `${database} as it is` : `${showDataPin(pins.data[database]!)} of ${database}`;
  const unclear = "started and never finished, so that nobody knows how much of it is there";
  const what = [
    ...(missing.length > 0 ? [`it lacks ${missing.join(", ")}: ${unclear}, and it cannot be applied`] : []),
    ...(stuck.length > 0 ? [`it cannot be rid of ${stuck.join(", ")}: ${unclear}, and its down script may not fit`] : []),
    ...(tooMany.length > 0 ? [`it has ${tooMany.join(", ")} as well, which the release breaks on`] : []),
  ];
  const other = fitting.length > 0 ? `other data (${fitting.join(", ")} will do)` : "other data (no snapshot is known to fit)";
  const releases = releasesFor(question);
  const fix = stays
    ? `mark it rolled back (nothing of it is there) or applied (all of it is) in the ledger of migrations, or pin ${other}`
    : `pin ${other}${ranOn === null || releases.includes(ranOn) ? "" : `, or ${ranOn}, which ran on it`}`;
  return `${releases.join(" and ")} cannot run on ${data}: ${what.join("; ")}. Fix: ${fix}`;
}

/** The pinned releases of what uses the database. */
export function releasesFor({ definition, database, pins }: Pick<SchemaQuestion, "definition" | "database" | "pins">): string[] {
  const using = Object.entries(pins.services).filter(([name]) => definition.services[name]?.databases.includes(database) === true);
  return [...new Set(using.length === 0 ? [pins.release] : using.map(([, { release }]) => release))];
}
