/** The request of a drill, resolved before anything starts. */
import { suggestion, UsageError } from "../config/errors.ts";
import type { OpenStack } from "../scripts/pulumi/stack.ts";
import { drillOf } from "../config/system/drill.ts";

export interface DrillWish {
  fault?: string;
  scope?: string;
  service?: string;
  /** What happens to rows written since. */
  newWrites?: string;
  rows?: string;
  keep?: boolean;
  /** False: the watch is not rehearsed. */
  watch?: boolean;
  reports?: string;
}

export interface DrillRequest {
  source: OpenStack;
  fault: string;
  scope: string;
  /** Service of a scope of one service; null: another scope. */
  service: string | null;
  /** The rollback's arguments for rows written since. */
  newWrites: string[];
  /** Rows of data written under the older release. */
  rows: number;
  keep: boolean;
  /** Rehearse the watch that follows the rollback. */
  watch: boolean;
  /** Folder of the reports. */
  reports: string;
  /** Watches that drills of the same run have rehearsed, as `<system>/<watch>`: they take long, and each is rehearsed once. */
  rehearsed: Set<string>;
}

const DEFAULT_ROWS = 10_000;

/** @throws UsageError naming the known values. */
export function requestOf(source: OpenStack, wish: DrillWish, reports: string, rehearsed = new Set<string>()): DrillRequest {
  const { scopes, name } = source.definition;
  const drill = drillOf(source.definition);
  const fault = wish.fault ?? drill.defaultFault;
  const described = Object.hasOwn(drill.faults, fault) ? drill.faults[fault] : undefined;
  const faults = Object.keys(drill.faults);
  if (described === undefined) throw new UsageError(`--fault "${fault}": ${name} has ${faults.join(", ")}${suggestion(fault, faults)}`);
  const scope = wish.scope ?? described.scope;
  if (!Object.hasOwn(scopes, scope))
    throw new UsageError(`--scope "${scope}": ${name} has ${Object.keys(scopes).join(", ")}${suggestion(scope, Object.keys(scopes))}`);
  const service = scopes[scope]?.pins.service === undefined ? null : (wish.service ?? described.service ?? null);
  if (service === null ? scopes[scope]?.pins.service !== undefined : !Object.hasOwn(source.definition.services, service))
    throw new UsageError(
      `--scope "${scope}" is for one service: name it with --service (${Object.keys(source.definition.services).join(", ")})`,
    );
  const rows = Number(wish.rows ?? DEFAULT_ROWS);
  if (!Number.isInteger(rows) || rows < 1) throw new UsageError(`--rows "${wish.rows}" must be a whole number from 1`);
  for (const release of [drill.from, drill.to])
    if (source.config.releases[release] === undefined)
      throw new UsageError(
        `a drill of ${name} goes from ${drill.from} back to ${drill.to}, but ${release} is not in the ledger of ${source.file}`,
      );
  const newWrites = wish.newWrites === undefined ? [] : ["--new-writes", wish.newWrites];
  return { source, fault, scope, service, newWrites, rows, keep: wish.keep === true, watch: wish.watch !== false, reports, rehearsed };
}
