/** Standby copies of a snapshot file: copied beside the live file, checked, and used only where nobody touched them since. */
import { readdirSync, statSync, existsSync, chmodSync } from "node:fs";
import { join } from "node:path";
import { fileCatalogue } from "../state/file-catalogue.ts";
import type { CatalogueDatabase, Snapshot } from "../../../config/record.ts";
import { copyFile, removeFile } from "../copy.ts";
import { openFile, withFile } from "../database.ts";
import { identityOf } from "../identity.ts";
import { DamagedCopyError, problemsOf } from "../integrity.ts";
import { captureManifest, compareManifests, type Manifest } from "../manifest.ts";
import { sqliteSession } from "../sql-session.ts";
import type { SqlSession } from "../../../config/system/sql-session.ts";
import { standbyCopiesOf, CopyDiffersError } from "../../shared/copies.ts";
import { type CopyContext } from "../../engine.ts";
import { copiesFolder, copyPath, fileOf, pathOfCopy } from "./places.ts";
import { inPristine } from "./pristine.ts";

/** The standby copy of a snapshot, or one made now: a copy that is being made is waited for, and one that was touched is not used. */
export async function standbyCopy(run: CopyContext, snapshot: Snapshot): Promise<CatalogueDatabase> {
  const ready = await readyCopy(run, snapshot);
  if (ready !== null) return ready;
  return run.state.whileMakingStandby(async () => (await readyCopy(run, snapshot)) ?? makeStandby(run, snapshot));
}

async function readyCopy(run: CopyContext, snapshot: Snapshot): Promise<CatalogueDatabase | null> {
  for (const copy of await standbyCopiesOf(run.state, snapshot)) {
    if (copy.verified === null) continue;
    const path = pathOfCopy(run.state, copy.oid);
    if (untouched(path, copy)) return copy;
    run.log("warning", `standby copy ${copy.name} was touched since it was verified: it is verified again`);
    if (verifyCopy(run, snapshot, copy, path).length === 0) return copy;
    await dropCopy(run, copy);
  }
  return null;
}

/** Size and time of the last change, as right after it was verified. */
function stampOf(path: string): { sizeBytes: number; changed: string } {
  const { size, mtimeNs } = statSync(path, { bigint: true });
  return { sizeBytes: Number(size), changed: String(mtimeNs) };
}

function untouched(path: string, { verified }: CatalogueDatabase): boolean {
  const { sizeBytes, changed } = stampOf(path);
  return verified?.["sizeBytes"] === sizeBytes && verified["changed"] === changed;
}

/** What the snapshot holds, read once from the pristine file, which must be sound. @throws DamagedCopyError */
async function manifestOf({ state, log }: CopyContext, snapshot: Snapshot): Promise<Manifest> {
  if (snapshot.manifest !== null) return snapshot.manifest as unknown as Manifest;
  const manifest = withFile(snapshot.location, { immutable: true }, (db) => {
    const problems = problemsOf(db);
    if (problems.length > 0) throw new DamagedCopyError(snapshot.location, problems);
    return captureManifest(db);
  });
  for (const [table, rows] of Object.entries(manifest.orphans))
    log("warning", `${snapshot.name}@${snapshot.generation}: ${rows} rows of ${table} refer to nothing; they did when it was taken`);
  await state.setManifest(snapshot.id, manifest);
  snapshot.manifest = manifest as unknown as Record<string, unknown>;
  return manifest;
}

/** Integrity, foreign keys and content. Empty where the copy is what the snapshot was. */
function verifyCopy(
  { state }: CopyContext,
  snapshot: Snapshot,
  copy: Pick<CatalogueDatabase, "name" | "database" | "lineage" | "epoch">,
  path: string,
): string[] {
  const expected = snapshot.manifest as unknown as Manifest;
  const differences = withFile(path, { immutable: true }, (db) => {
    const problems = problemsOf(db);
    return problems.length > 0 ? problems : compareManifests(expected, captureManifest(db));
  });
  if (differences.length > 0) return differences;
  fileCatalogue.enter(fileOf(state), {
    name: copy.name,
    database: copy.database,
    role: "standby",
    lineage: copy.lineage,
    snapshotId: snapshot.id,
    epoch: copy.epoch,
    path,
    identity: identityOf(path)!,
    verified: stampOf(path),
  });
  return [];
}

/** The pristine file: there, sound, and with the content that was recorded when it first had a standby copy. */
export async function snapshotProblems(_keeping: CopyContext, { location, manifest }: Snapshot): Promise<string[]> {
  if (!existsSync(location)) return Promise.resolve([`the file ${location} is gone`]);
  const problems = withFile(location, { immutable: true }, (db) => {
    const damage = problemsOf(db);
    return damage.length > 0 || manifest === null ? damage : compareManifests(manifest as unknown as Manifest, captureManifest(db));
  });
  return Promise.resolve(problems);
}

/** Restores a copy of the snapshot beside the live file and verifies it. */
export async function makeStandby(run: CopyContext, snapshot: Snapshot): Promise<CatalogueDatabase> {
  for (const left of await standbyCopiesOf(run.state, snapshot)) if (left.verified === null) await dropCopy(run, left);
  const taken = await withoutOrphans(run, snapshot.database);
  let serial = 1;
  while (taken.has(`${snapshot.database}_standby_${snapshot.id}_${serial}`)) serial++;
  const name = `${snapshot.database}_standby_${snapshot.id}_${serial}`;
  const path = copyPath(run.site, snapshot.database, name);
  await manifestOf(run, snapshot);
  await copyFile(snapshot.location, path);
  const copy = {
    name,
    database: snapshot.database,
    lineage: { snapshot: { name: snapshot.name, generation: snapshot.generation, again: 0 }, quarantine: null },
    epoch: snapshot.epoch,
  };
  const differences = verifyCopy(run, snapshot, copy, path);
  if (differences.length > 0) {
    removeFile(path);
    throw new CopyDiffersError(name, differences);
  }
  return (await standbyCopiesOf(run.state, snapshot)).find((one) => one.name === name)!;
}

/** Names of all copies, after standby copies that were made but never verified are removed. */
async function withoutOrphans({ state, site }: CopyContext, database: string): Promise<Set<string>> {
  const folder = copiesFolder(site, database);
  if (!existsSync(folder)) return new Set();
  const entered = new Set((await state.catalogued()).map(({ name }) => name));
  for (const file of readdirSync(folder)) {
    const name = /^(.+_standby_\d+_\d+)\.db(\.making)?$/.exec(file);
    if (name !== null && (name[2] !== undefined || !entered.has(name[1]!))) removeFile(join(folder, file));
  }
  return new Set(readdirSync(folder).flatMap((file) => /^(.+)\.db$/.exec(file)?.[1] ?? []));
}

export async function dropCopy({ state }: CopyContext, copy: CatalogueDatabase): Promise<void> {
  const path = pathOfCopy(state, copy.oid);
  await state.forgetDatabase(copy.oid);
  removeFile(path);
}

export async function inSnapshot<T>(_run: CopyContext, snapshot: Snapshot, work: (session: SqlSession) => Promise<T>): Promise<T> {
  return inPristine(snapshot, (db) => work(sqliteSession(db)));
}

export async function inCopy<T>({ state }: CopyContext, copy: CatalogueDatabase, work: (session: SqlSession) => Promise<T>): Promise<T> {
  const db = openFile(pathOfCopy(state, copy.oid), { immutable: true });
  return work(sqliteSession(db)).finally(() => db.close());
}

export function fileOfCopy({ state }: CopyContext, copy: CatalogueDatabase): string {
  return pathOfCopy(state, copy.oid);
}

/** A copy may be read only; what becomes live may be written. */
export function writable(path: string): void {
  chmodSync(path, 0o600);
}
