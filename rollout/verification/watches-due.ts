/** Which watches follow a rollout, how far they are, and which comes next. */
import type { Rollout } from "../../config/record.ts";
import type { Site } from "../../config/site.ts";
import type { SystemDefinition } from "../../config/system/definition.ts";
import { recordsOf, type WatchRecord } from "./watch-record.ts";

export interface WatchState {
  id: string;
  title: string;
  minutes: number;
  state: "due" | "going" | "passed" | "failed";
  /** The last attempt; null: none. */
  record: WatchRecord | null;
}

/** Ids of the watches that follow a rollout, in the definition's order. Pins that are no scope's count as the system's usual one. */
function watchesAfter(definition: SystemDefinition, { plan }: Pick<Rollout, "plan">): string[] {
  const what = plan.forward ? "deploy" : (plan.scope ?? definition.defaultScope);
  return Object.entries(definition.watches ?? {}).flatMap(([id, { after }]) => (after.includes(what) ? [id] : []));
}

/** @param speed of the clock that asks: a watch that went faster is a rehearsal and proves nothing to a slower one. */
export function watchStates(
  site: Pick<Site, "home">,
  definition: SystemDefinition,
  rollout: Pick<Rollout, "plan" | "epoch">,
  speed: number,
): WatchState[] {
  return watchesAfter(definition, rollout).map((id) => {
    const { title, durationMinutes: minutes } = definition.watches![id]!;
    const records = recordsOf(site, rollout.epoch, id).filter(({ begin }) => begin.speed <= speed);
    const record = records.find(({ end }) => end?.state === "passed") ?? records.at(-1) ?? null;
    return { id, title, minutes, state: record === null ? "due" : (record.end?.state ?? "going"), record };
  });
}

/** The first that has not passed and waits for none that has not; null: all have passed. */
export function nextWatch(definition: SystemDefinition, states: readonly WatchState[]): WatchState | null {
  const open = states.filter(({ state }) => state !== "passed").map(({ id }) => id);
  return (
    states.find(({ id, state }) => {
      const { follows } = definition.watches![id]!;
      return state !== "passed" && (follows === undefined || !open.includes(follows));
    }) ?? null
  );
}
