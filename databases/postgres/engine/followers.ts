/** Who relies on a database that is renamed away: replication slots and publications go with it. Reported before the cut-over, and by name after it. */
import type { Snapshot } from "../../../config/record.ts";
import { endpointOf, liveName } from "../../../config/site.ts";
import { withSession } from "../connection.ts";
import { quote } from "../../shared/identifiers.ts";
import { sessionInside } from "../fence.ts";
import { followers, lacking, publications } from "../inspection.ts";
import type { InspectContext } from "../../engine.ts";
import type { DataAction } from "../../../config/plan.ts";
import type { Run } from "../../../config/run.ts";
import { clientOf } from "./session.ts";

/** What a cut-over by rename leaves with the old database, in words: reported before it. */
export async function followersLeftBehind(
  { site }: InspectContext,
  database: string,
  action: DataAction,
  snapshot: Snapshot | null,
): Promise<string[]> {
  if (action.kind !== "restore" && action.kind !== "undo") return [];
  const endpoint = endpointOf(site);
  const old = await withSession(endpoint, liveName(site, database), followers);
  const kept = snapshot?.driver === "template" ? await withSession(endpoint, snapshot.location, publications, { readOnly: true }) : null;
  return [
    ...old.slots.map(
      ({ name }) =>
        `replication slot "${name}" follows the old database into quarantine and keeps its log there: its consumer misses what is written from now on`,
    ),
    ...lacking(old.publications, kept ?? []).map(
      (what) =>
        `${what} is the old database's${kept === null ? ": it is there afterwards only if the snapshot has it" : ": the snapshot lacks it"}`,
    ),
  ];
}

/** What went with the old database, and what to do about it. Read from the databases, so that it is reported after an interrupted cut-over, too. */
export async function wentAlong(run: Run, database: string, quarantine: string): Promise<string[]> {
  const live = liveName(run.site, database);
  const inside = async <T>(name: string, work: Parameters<typeof withSession<T>>[2]): Promise<T> => {
    const session = await sessionInside(endpointOf(run.site), clientOf(run.state), name);
    return work(session).finally(() => session.end());
  };
  const old = await inside(quarantine, followers);
  // Users wait meanwhile: a second session only where there is something to compare.
  const now = old.publications.length === 0 ? [] : await inside(live, publications);
  return [
    ...old.slots.map(
      ({ name, plugin }) =>
        `replication slot "${name}" went with the old database into quarantine "${quarantine}", and keeps the server's log until it is dropped. ` +
        `For its consumer to go on with "${live}": SELECT pg_drop_replication_slot('${name}'), then in "${live}" SELECT pg_create_logical_replication_slot('${name}', '${plugin}')`,
    ),
    ...lacking(old.publications, now).map(
      (what) => `${what} went with the old database into quarantine "${quarantine}": make it again in ${quote(live)} where it is needed`,
    ),
  ];
}
