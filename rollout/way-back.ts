/** Where a way back leads, by the record of what opened: which release, which snapshot of its data, which settings. Pure. */
import type { Opening, Snapshot } from "../config/record.ts";
import { standsAfter } from "../config/ledger.ts";
import { canonical, type Pins } from "../config/pins.ts";
import type { ServiceScope } from "../config/system/definition.ts";

/** The same release opened several times in a row, with other settings or maintenance, is one stay. */
interface Stay {
  release: string;
  /** Rollout that brought the release in. */
  first: number;
  last: number;
}

function staysOf(opened: readonly Opening[]): Stay[] {
  const stays: Stay[] = [];
  for (const { epoch, pins } of opened) {
    const before = stays.at(-1);
    if (before?.release === pins.release) before.last = epoch;
    else stays.push({ release: pins.release, first: epoch, last: epoch });
  }
  return stays;
}

/**
 * The release that opened last before `current`, never a newer or a blocked one; where none did, the one before it in the ledger. Null: there is none.
 * @param opened oldest first
 * @param order every release that is known, oldest first
 */
export function releaseBefore(
  opened: readonly Opening[],
  order: readonly string[],
  current: string,
  blocked: readonly string[] = [],
): string | null {
  const older = (release: string): boolean => standsAfter(order, current, release) && !blocked.includes(release);
  const known = order.filter(older);
  return (
    staysOf(opened)
      .map(({ release }) => release)
      .findLast((release) => known.includes(release)) ??
    known.at(-1) ??
    null
  );
}

/** The openings that the data has been through: what comes back out of quarantine has seen nothing of what opened while it was set aside. */
function lineOf(opened: readonly Opening[], database = ""): Opening[] {
  const pinOf = ({ pins }: Opening): string => {
    const pin = pins.data[database];
    return pin?.kind === "quarantine" ? pin.name : "";
  };
  // A line by the opening it ends with: an undo goes on from the one that the data was set aside from.
  const lines: Opening[][] = [];
  opened.forEach((opening, index) => {
    const before = opened[index - 1];
    const name = pinOf(opening);
    const since = before === undefined || name === pinOf(before) ? null : /_quarantine_(\d+)$/.exec(name);
    const from = since === null ? index - 1 : opened.findLastIndex(({ epoch }) => epoch < Number(since[1]));
    lines.push([...(lines[from] ?? []), opening]);
  });
  return lines.at(-1) ?? [];
}

/**
 * The snapshot taken when `release` was left the last time, of those of one database. It belongs to that very rollout: of attempts that failed
 * before one opened, the first found the data as the release had left it. Null: it was never left, or nothing was taken.
 */
export function snapshotLeft<S extends Pick<Snapshot, "epoch" | "automatic" | "database">>(
  opened: readonly Opening[],
  snapshots: readonly S[],
  release: string,
): S | null {
  const line = lineOf(opened, snapshots[0]?.database);
  const stay = staysOf(line).findLast((one) => one.release === release);
  if (stay === undefined) return null;
  const next = line.find(({ epoch }) => epoch > stay.last)?.epoch ?? Infinity;
  return snapshots.filter(({ epoch, automatic }) => automatic && epoch > stay.last && epoch <= next)[0] ?? null;
}

/**
 * The settings in force before, of each service that is asked: those the goal had when it was open last; where the release stays, those of before
 * they came to be what they are for the first time, so that what an earlier rollback of them has undone does not come back. Null: the record has none.
 * @param now as declared
 * @param goal release that is gone back to; the one that is declared where none is
 * @param asked services whose settings are to come back, by name
 */
export function settingsBefore(
  opened: readonly Opening[],
  now: Pins,
  goal: string,
  asked: Readonly<Record<string, ServiceScope>>,
): Record<string, Record<string, string>> | null {
  const configOf = ({ services }: Pins, name: string): Record<string, string> => services[name]?.config ?? {};
  if (goal !== now.release) {
    const found = opened.findLast(({ pins }) => pins.release === goal);
    return found === undefined
      ? null
      : Object.fromEntries(Object.keys(found.pins.services).map((name) => [name, configOf(found.pins, name)]));
  }
  let any = false;
  const before = Object.entries(asked).map(([name, { config }]): [string, Record<string, string>] => {
    const of = (pins: Pins): string => canonical(chosen(configOf(pins, name), config));
    const since = opened.findIndex(({ pins }) => of(pins) === of(now));
    const found = config === undefined ? undefined : opened.slice(0, since === -1 ? opened.length : since).at(-1);
    any ||= found !== undefined;
    return [name, configOf(found?.pins ?? now, name)];
  });
  return any ? Object.fromEntries(before) : null;
}

function chosen(config: Record<string, string>, keys: ServiceScope["config"]): Record<string, string> {
  return Array.isArray(keys) ? Object.fromEntries(Object.entries(config).filter(([key]) => keys.includes(key))) : config;
}
