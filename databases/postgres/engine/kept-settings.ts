/** Settings and comment of a database belong to its users: a restore keeps the present ones. The preview names those that changed since. */
import type { Client } from "pg";
import type { Snapshot } from "../../../config/record.ts";
import { endpointOf, liveName } from "../../../config/site.ts";
import { withSession } from "../connection.ts";
import { readProperties, type DatabaseProperties } from "../properties.ts";
import type { Statistics } from "../statistics.ts";
import type { InspectContext } from "../../engine.ts";
import type { DataAction } from "../../../config/plan.ts";

export type KeptSettings = Pick<DatabaseProperties, "settings" | "comment">;

/** What a snapshot's statistics say of them besides; absent in snapshots from before. */
export type WithSettings = Statistics & { kept?: KeptSettings };

/** Statistics of a live database as a snapshot keeps them. */
export async function withSettings(client: Client, live: string, statistics: Statistics): Promise<WithSettings> {
  const { settings, comment } = await readProperties(client, live);
  return { ...statistics, kept: { settings, comment } };
}

/** Pure. Names alone: values may be secrets. Empty where nothing changed. */
function stayAsTheyAre(then: KeptSettings, now: KeptSettings): string[] {
  const byName = ({ settings }: KeptSettings): Map<string, string> =>
    new Map(settings.map(({ role, name, value }) => [role === null ? name : `${name} of role ${role}`, value]));
  const [was, is] = [byName(then), byName(now)];
  const changed = [...new Set([...is.keys(), ...was.keys()])].filter((name) => was.get(name) !== is.get(name));
  const all = [...changed, ...(then.comment === now.comment ? [] : ["the comment"])];
  return all.length === 0
    ? []
    : [`settings and comment of the database stay as they are now; these are not as they were in the snapshot: ${all.join(", ")}`];
}

/** Settings of the live database that a restore or an undo keeps, in words. The quarantine of an undo is a database. */
export async function settingsThatStay(
  { site }: InspectContext,
  database: string,
  action: DataAction,
  snapshot: Snapshot | null,
): Promise<string[]> {
  if (action.kind !== "restore" && action.kind !== "undo") return [];
  const live = liveName(site, database);
  return withSession(endpointOf(site), live, async (client) => {
    const then =
      action.kind === "restore"
        ? (snapshot?.statistics as WithSettings | null | undefined)?.kept
        : await readProperties(client, action.quarantine);
    return then === undefined ? [] : stayAsTheyAre(then, await readProperties(client, live));
  });
}
