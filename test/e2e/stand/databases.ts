/** The databases, looked at by administrative sessions of the test's own. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type pg from "pg";
import type { Lineage } from "../../../config/plan.ts";
import type { ExportFile, Noted } from "../../../config/journal.ts";
import type { CatalogueDatabase, Rollout, Snapshot } from "../../../config/record.ts";
import { endpointOf, liveName } from "../../../config/site.ts";
import { openState } from "../../../databases/open-state.ts";
import { withSession } from "../../../databases/postgres/connection.ts";
import { sessionInside } from "../../../databases/postgres/fence.ts";
import { liveLineage } from "../../../databases/postgres/state/catalogue.ts";
import type { PostgresState } from "../../../databases/postgres/state/store.ts";
import { missingStandbys } from "../../../rollout/standby.ts";
import { filesBelow, LIVE, pause, type Base } from "./base.ts";

export function databasesOf({ site, definition }: Base) {
  const endpoint = () => endpointOf(site);
  const live = liveName(site, Object.keys(definition.databases)[0] ?? LIVE);
  const session = <T>(name: string, work: (client: pg.Client) => Promise<T>): Promise<T> => withSession(endpoint(), name, work);
  const sql = <R extends pg.QueryResultRow>(text: string, values: unknown[] = [], name = live): Promise<R[]> =>
    session(name, async (client) => (await client.query<R>(text, values)).rows);
  const state = async <T>(work: (store: PostgresState) => Promise<T>): Promise<T> => {
    const store = (await openState(site, definition)) as PostgresState | null;
    if (store === null) throw new Error("there is no state database");
    return work(store).finally(() => store.end());
  };
  /** Inside a database that accepts no connections, such as a quarantine. */
  const inside = <R extends pg.QueryResultRow>(name: string, text: string, values: unknown[] = []): Promise<R[]> =>
    state(async (store) => {
      const client = await sessionInside(endpoint(), store.client, name);
      return client
        .query<R>(text, values)
        .then(({ rows }) => rows)
        .finally(() => client.end());
    });
  const catalogue = (): Promise<CatalogueDatabase[]> => state((store) => store.catalogued());
  return {
    live,
    session,
    sql,
    state,
    inside,
    catalogue,
    quarantines: async (): Promise<CatalogueDatabase[]> => (await catalogue()).filter(({ role }) => role === "quarantine"),
    snapshots: (): Promise<Snapshot[]> => state((store) => store.readySnapshots()),
    last: (): Promise<Rollout | null> => state((store) => store.lastRollout()),
    journal: (epoch: number): Promise<Noted[]> => state((store) => store.journal(epoch)),
    lineage: (): Promise<Lineage> => state(async (store) => (await liveLineage(store.client, live)).lineage),
    exports: (epoch: number): Promise<ExportFile[]> => state((store) => store.exports(epoch)),
    untilStandby: () =>
      state(async (store) => {
        while ((await missingStandbys(store, "deploy")).length > 0) await pause(100);
      }),
    /** Which of `ids` are in no live database, no quarantine and no export: rows that are lost. */
    lost: async (ids: string[]): Promise<string[]> => {
      const kept = new Set<string>();
      const keep = (rows: { pfa_id: string }[]): void => rows.forEach(({ pfa_id }) => kept.add(pfa_id));
      keep(await sql("SELECT pfa_id FROM pfa_records"));
      for (const { name } of (await catalogue()).filter(({ role }) => role === "quarantine"))
        keep(await inside(name, "SELECT pfa_id FROM pfa_records"));
      for (const file of filesBelow(join(site.home, "exports")).filter((path) => /pfa_records[^/]*\.jsonl$/.test(path)))
        for (const line of readFileSync(file, "utf8").split("\n").filter(Boolean)) {
          const row = (JSON.parse(line) as { row: { pfa_id?: string } | null }).row;
          if (row?.pfa_id !== undefined) kept.add(row.pfa_id);
        }
      return ids.filter((id) => !kept.has(id));
    },
  };
}
