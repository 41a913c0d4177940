/** The way back from a deployment that did not open: the pins that opened last, with the data as it was before anything was tried. */
import type { Rollout, Snapshot } from "../../config/record.ts";
import type { PinEdit } from "../../config/edit.ts";
import type { DataPin, Pins } from "../../config/pins.ts";
import { dataText, recordedEdits, type UnknownSecret } from "../../config/recorded-pins.ts";
import { scopeEdits } from "../../config/scope.ts";
import type { StackConfig } from "../../config/schema.ts";
import type { SystemDefinition } from "../../config/system/definition.ts";
import { say } from "./outcome.ts";

export interface WayBack {
  definition: SystemDefinition;
  config: StackConfig;
  /** What the stack file asks for now. */
  pins: Pins;
  /** What opened last. */
  goal: Pick<Rollout, "epoch" | "pins">;
  snapshots: readonly Snapshot[];
  /** Release that did not open, and why it may not come back; null: it may. */
  block: { release: string; incident: string } | null;
  /** Its migrations failed half-way. */
  halfMigrated: boolean;
  /** Users may be out: a lost secret does not block the rollback. */
  unknown: UnknownSecret;
}

export function wayBackEdits({ definition, config, pins: asked, goal, snapshots, block, halfMigrated, unknown }: WayBack): PinEdit[] {
  const { pins } = goal;
  const taken = takenSince(goal.epoch, snapshots);
  const blocked: PinEdit[] = block === null ? [] : [{ path: ["blocked", block.release], value: block.incident }];
  // Whatever stands in the way of the goal itself would refuse it.
  const recorded: PinEdit[] = [
    ...recordedEdits(config, pins, asked, unknown),
    { path: ["scope"], value: undefined },
    { path: ["blocked", pins.release], value: undefined },
  ];
  const scope = definition.partialMigrationScope;
  if (halfMigrated && scope !== undefined) {
    const names = Object.fromEntries(Object.entries(taken).map(([database, { name, generation }]) => [database, `${name}@${generation}`]));
    return [...recorded, ...scopeEdits(definition, { scope, to: pins.release, snapshots: names, block: null }), ...blocked];
  }
  const restored = Object.entries(taken).map(([database, { name, generation }]): [string, DataPin] => [
    database,
    { kind: "snapshot", name, generation, again: 0 },
  ]);
  return [...recorded, { path: ["data"], value: dataText({ ...pins.data, ...Object.fromEntries(restored) }) }, ...blocked];
}

/** By database: the first snapshot taken before a deployment since the epoch. Nothing opened since, so nobody has written since. */
function takenSince(epoch: number, snapshots: readonly Snapshot[]): Record<string, Snapshot> {
  const taken = snapshots.filter((snapshot) => snapshot.epoch > epoch && snapshot.automatic && snapshot.name.startsWith("before-"));
  return Object.fromEntries(taken.toSorted((a, b) => b.id - a.id).map((snapshot) => [snapshot.database, snapshot]));
}

export const sayUnknown: UnknownSecret = (service, key) =>
  say(`! ${key} of ${service} was another secret when that release was let in, which is kept nowhere: it stays as it is now`);
