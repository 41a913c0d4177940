/** Takes over a SQLite file that somebody else made, while others read and write it. */
import { existsSync, readdirSync, rmdirSync, rmSync, statSync } from "node:fs";
import { userInfo } from "node:os";
import { dirname } from "node:path";
import { stateFile } from "../../../config/site.ts";
import type { Snapshot } from "../../../config/record.ts";
import { NO_LINEAGE } from "../../../config/plan.ts";
import type { Run } from "../../../config/run.ts";
import { requireRoomAt } from "../../../processes/room.ts";
import type { FoundDatabase, FoundLedger } from "../../shared/adoption.ts";
import { quote } from "../../shared/identifiers.ts";
import { migrationsOf } from "../../shared/migrations/of-definition.ts";
import type { Ledger } from "../../shared/migrations/ledger.ts";
import type { Migration } from "../../shared/migrations/script.ts";
import type { InspectContext, TakenCopy } from "../../engine.ts";
import { backUp, removeFile } from "../copy.ts";
import { first, keepsLog, lookInto, openFile, withFile } from "../database.ts";
import { FileMissingError } from "../fence.ts";
import { holdersOf } from "../holders.ts";
import { identityOf } from "../identity.ts";
import { detectLedger, ledgerIn } from "../detect.ts";
import { readLedger } from "../migrations.ts";
import { enterApplied, removeEntered } from "../migrations-entered.ts";
import { tableNames, unreadTables } from "../shape.ts";
import { fileCatalogue } from "../state/file-catalogue.ts";
import { driver, snapshotLocation } from "./copies.ts";
import { bytesOf } from "./inspect.ts";
import { copiesFolder, fileOf, livePath } from "./places.ts";

export { driver as snapshotDriver, snapshotLocation };

export async function look({ site, definition }: InspectContext, database: string): Promise<FoundDatabase> {
  const live = livePath(site, database);
  if (!existsSync(live)) throw new FileMissingError(live);
  const { uid, gid, mode } = statSync(live);
  const me = userInfo();
  const holders = holdersOf(live);
  return Promise.resolve({
    live,
    place: dirname(live),
    sizeBytes: bytesOf(live),
    owner: uid === me.uid ? me.username : `user ${uid}`,
    grants: [{ grantee: `group ${gid}`, privileges: [`mode ${(mode & 0o7777).toString(8)}`] }],
    sessions: holders.map(({ pid, command }) => ({ application: command, role: `pid ${pid}`, count: 1 })),
    extensions: [],
    notes: [],
    ...lookInto(live, (db) => ({
      tables: tableNames(db)
        .map((name) => ({ name, rows: rowsIn(db, name) }))
        .sort((a, b) => b.rows - a.rows || a.name.localeCompare(b.name)),
      ledgers: ledgersOf(db, definition, database),
      limits: [
        ...(holders.length === 0
          ? []
          : [
              `a rollout needs the file for itself, and is refused while others have it open: end ${holders.map(({ pid }) => `pid ${pid}`).join(", ")} before the next one`,
            ]),
        ...unreadTables(db).map(({ kind, name, why }) => `${kind} ${name} is not compared and not exported: ${why}`),
      ],
    })),
  });
}

type Database = ReturnType<typeof openFile>;

/** By the largest row number, which takes no time at any size; deleted rows count. */
function rowsIn(db: Database, table: string): number {
  try {
    return Number(first<{ rows: number | null }>(db, `SELECT max(_rowid_) AS rows FROM ${quote(table)}`)?.rows ?? 0);
  } catch {
    return Number(first<{ rows: number }>(db, `SELECT count(*) AS rows FROM ${quote(table)}`)?.rows ?? 0);
  }
}

function ledgersOf(db: Database, definition: InspectContext["definition"], database: string): FoundLedger[] {
  const own = ledgerIn(db, definition, database);
  const others = detectLedger(db)
    .map(({ ledger }) => ledger)
    .filter((name) => name !== own);
  return [own, ...new Set(others)].map((name) => {
    const { states, head } = readLedger(db, name, name === own ? migrationsOf(definition, database, own) : []);
    const applied = states.filter(({ status }) => ["applied", "modified", "unknown"].includes(status)).length;
    return { name, declared: name === own, head, applied };
  });
}

export const noSnapshotBecause = (): Promise<null> => Promise.resolve(null);

/** With a write-ahead log in one step, which keeps nobody from writing; else a few pages at a time, so that writers get their turn. */
export async function takeSnapshot({ site }: Run, snapshot: Snapshot, again: boolean): Promise<TakenCopy> {
  const live = livePath(site, snapshot.database);
  if (again) removeFile(snapshot.location);
  await requireRoomAt(dirname(snapshot.location), bytesOf(live));
  const db = openFile(live, { readOnly: true });
  try {
    await backUp(db, snapshot.location, keepsLog(live) ? ALL_PAGES : undefined);
    return { manifest: null, statistics: null, sizeBytes: statSync(snapshot.location).size };
  } finally {
    db.close();
  }
}

const ALL_PAGES = 0x7fff_ffff;

export async function enterMigrations({ site, definition }: Run, database: string, names: readonly string[]): Promise<string[]> {
  return Promise.resolve(
    withFile(livePath(site, database), {}, (db) => {
      const ledger = ledgerIn(db, definition, database);
      return enterApplied(db, named(definition, database, ledger, names), ledger);
    }),
  );
}

export async function removeMigrations({ site, definition }: Run, database: string, names: readonly string[]): Promise<void> {
  return Promise.resolve(
    withFile(livePath(site, database), {}, (db) => {
      const ledger = ledgerIn(db, definition, database);
      removeEntered(db, ledger, named(definition, database, ledger, names));
    }),
  );
}

function named(definition: InspectContext["definition"], database: string, ledger: Ledger, names: readonly string[]): Migration[] {
  return migrationsOf(definition, database, ledger).filter(({ name }) => names.includes(name));
}

export async function enter({ site, state, epoch }: Run, database: string): Promise<void> {
  const live = livePath(site, database);
  const entry = { name: database, database, role: "live" as const, lineage: NO_LINEAGE, snapshotId: null, epoch };
  return Promise.resolve(fileCatalogue.enter(fileOf(state), { ...entry, path: live, identity: identityOf(live)! }));
}

/** Also the folders that copies lay in: empty by now. */
export async function removeState({ site, definition, state }: Run): Promise<void> {
  await state.end();
  for (const database of Object.keys(definition.databases)) removeEmpty(copiesFolder(site, database));
  removeEmpty(dirname(snapshotLocation({ site, definition, state: null }, "any", "any", 1)));
  rmSync(dirname(stateFile(site)), { recursive: true, force: true });
}

function removeEmpty(folder: string): void {
  if (existsSync(folder) && readdirSync(folder).length === 0) rmdirSync(folder);
}
