/**
 * What lies in the home of one machine and is needed by the others: dumps, exports, evidence. Where the stack has a store they are copied there at
 * the end of a rollout, and fetched where they are missing. The state records where each is, with the sha256 of its manifest.
 */
import { existsSync, readdirSync } from "node:fs";
import { join, relative } from "node:path";
import { upCommand } from "../config/commands.ts";
import { RefusedError } from "../config/errors.ts";
import type { CatalogueDatabase, Snapshot } from "../config/record.ts";
import type { Run } from "../config/run.ts";
import { dumpFolder, type Site } from "../config/site.ts";
import { storeName, storePlace } from "../config/store.ts";
import { filesIn, MANIFEST } from "../state/evidence-folder.ts";
import { identityAt } from "../state/identity.ts";
import { getArtefact, hasArtefact, manifestOf, putArtefact, removeArtefact, storedText, hashOfText } from "../state/store/artefact.ts";
import { openStore } from "../state/store/open.ts";
import { StoreError, type ArtefactStore } from "../state/store/store.ts";

type Keeping = Pick<Run, "site" | "state">;

/** Where an artefact is, as the state records it. */
export interface Stored {
  /** The store, as it is shown. */
  store: string;
  key: string;
  /** Of its manifest. */
  sha256: string;
  sizeBytes: number;
  /** ISO 8601. */
  at: string;
}

/** It is neither in the home of this machine nor in the store. */
export class ArtefactMissingError extends RefusedError {
  readonly what: string;
  constructor(site: Site, what: string, path: string, stored: Stored | null) {
    const store = storeName(storePlace(site.store!));
    const where =
      stored === null
        ? `neither in ${path} nor in the store ${store}: the machine that took it has not copied it there yet; run \`${upCommand(site)}\` there`
        : `not in ${path}, and it was copied to ${stored.store}, not to ${store}: set backout:store back, or copy everything under ${stored.key} from one to the other`;
    super(`${what} is ${where}, or use another snapshot`);
    this.name = "ArtefactMissingError";
    this.what = what;
  }
}

/** Path below the home, which is the artefact's name; null: it lies elsewhere, as a database does. */
function nameOf({ home }: Pick<Site, "home">, path: string): string | null {
  const below = relative(home, path);
  return path.startsWith("/") && !below.startsWith("..") ? below : null;
}

const storedKey = (name: string): string => `stored ${name}`;

/** Where the store has what lies, or lay, at this path of the home; null: nowhere. */
export function storedAt({ site, state }: Keeping, path: string): Promise<Stored | null> {
  const name = nameOf(site, path);
  return name === null ? Promise.resolve(null) : state.kept<Stored>(storedKey(name));
}

/** The store with what it has of a path that is not here; null: it is here, there is no store, or the store has none of it. */
export async function elsewhere(keeping: Keeping, path: string): Promise<{ store: ArtefactStore; stored: Stored } | null> {
  if (existsSync(path)) return null;
  const stored = await storedAt(keeping, path);
  if (stored === null) return null;
  const store = await openStore(keeping.site);
  if (store === null) return null;
  // A store that was copied to another place has it there, too, under the same key.
  return store.name === stored.store || (await hasArtefact(store, stored.key)) ? { store, stored } : null;
}

/** Fetches what is needed and not here. @throws ArtefactMissingError, DamagedArtefactError, StoreError */
async function bring(keeping: Keeping, path: string, what: string, say: (line: string) => void): Promise<void> {
  if (keeping.site.store === undefined || nameOf(keeping.site, path) === null || existsSync(path)) return;
  const found = await elsewhere(keeping, path);
  if (found === null) throw new ArtefactMissingError(keeping.site, what, path, await storedAt(keeping, path));
  const { store, stored } = found;
  await getArtefact(store, stored.key, stored.sha256, path);
  say(`${what} was fetched from ${store.name} (${(stored.sizeBytes / 1e6).toFixed(1)} MB)`);
}

export function bringSnapshot(keeping: Keeping, snapshot: Snapshot, say: (line: string) => void = () => undefined): Promise<void> {
  return bring(keeping, snapshot.location, titleOf(snapshot), say);
}

/** A quarantine that is a dump. */
export function bringQuarantine(keeping: Keeping, name: string, say: (line: string) => void = () => undefined): Promise<void> {
  return keeping.site.server?.driver === "in-place"
    ? bring(keeping, dumpFolder(keeping.site, name), `quarantine ${name}`, say)
    : Promise.resolve();
}

/** The text of one file of an artefact that is not here; null: the store has none, or does not answer. */
export async function textElsewhere(keeping: Keeping, path: string, file: string): Promise<string | null> {
  const found = await elsewhere(keeping, path).catch(() => null);
  return found === null ? null : storedText(found.store, found.stored.key, found.stored.sha256, file).catch(() => null);
}

function titleOf({ name, generation, database }: Snapshot): string {
  return `${name}@${generation} of ${database}`;
}

interface Candidate {
  path: string;
  /** In words. */
  what: string;
  /** It may have changed since it was copied. */
  mayChange: boolean;
}

export interface StoreDone {
  /** Urls of what was copied now. */
  stored: string[];
  /** Paths below the home, of what is not in the store yet. */
  left: string[];
}

/**
 * Copies what the store lacks. A store that fails keeps no user out and loses nothing: the log says so, and the next update tries again.
 * After a kill the next run copies what is not recorded as copied.
 */
export async function storeArtefacts(run: Run): Promise<StoreDone> {
  const done: StoreDone = { stored: [], left: [] };
  if (run.site.store === undefined) return done;
  const due: Candidate[] = [];
  const waiting: string[] = [];
  for (const candidate of await candidates(run)) if (await isDue(run, candidate)) due.push(candidate);
  if (due.length === 0) return done;
  let failed: Error | null = null;
  const store = await openStore(run.site).catch((error: Error) => {
    failed = error;
    return null;
  });
  for (const { path, what } of due) {
    if (!existsSync(path)) {
      done.left.push(nameOf(run.site, path)!);
      run.log("warning", new ArtefactMissingError(run.site, what, path, await storedAt(run, path)).message);
      continue;
    }
    // A store that failed once is not waited for again and again.
    if (store !== null && failed === null)
      await storeOne(run, store, path).then(
        (url) => done.stored.push(url),
        (error: Error) => (failed = error),
      );
    if (failed === null) continue;
    done.left.push(nameOf(run.site, path)!);
    waiting.push(what);
  }
  if (failed !== null)
    run.log(
      "warning",
      `not in the store yet: ${waiting.join(", ")}. ${(failed as Error).message}. The files are kept here; \`${upCommand(run.site)}\` on this machine copies them`,
    );
  return done;
}

async function storeOne({ site, state }: Run, store: ArtefactStore, path: string): Promise<string> {
  const name = nameOf(site, path)!;
  const all = `${rootOf(site)}/${name}`;
  const before = await state.kept<Stored>(storedKey(name));
  // Never over what is recorded: until the new record, the old one is whole.
  const key = `${all}/${Date.now().toString(36)}`;
  const { sha256, sizeBytes } = await putArtefact(store, key, path);
  await state.keep(storedKey(name), { store: store.name, key, sha256, sizeBytes, at: new Date().toISOString() } satisfies Stored);
  // What is recorded no more, and what a killed run left half-way.
  if (before === null || before.store === store.name) await removeArtefact(store, all, key);
  return `${store.name} ${key}`;
}

/** Of one stack: names of stacks and systems may be the same on two servers that share a store. */
function rootOf(site: Site): string {
  return `${site.system}-${site.name ?? site.stack}-${(identityAt(site.home)?.id ?? "new").slice(0, 8)}`;
}

async function isDue({ site, state }: Run, { path, mayChange }: Candidate): Promise<boolean> {
  const stored = await state.kept<Stored>(storedKey(nameOf(site, path)!));
  if (stored === null) return true;
  if (!existsSync(path)) return false;
  if (stored.store !== storeName(storePlace(site.store!))) return true;
  return mayChange && hashOfText(await manifestOf(path)) !== stored.sha256;
}

async function candidates(run: Run): Promise<Candidate[]> {
  const { site, state, epoch } = run;
  const own = (await state.rollout(epoch))?.runId;
  const snapshots = (await state.readySnapshots())
    .filter(({ location }) => nameOf(site, location) !== null)
    .map((snapshot) => ({ path: snapshot.location, what: titleOf(snapshot), mayChange: false }));
  const quarantines = site.server?.driver === "in-place" ? (await state.catalogued()).filter(({ role }) => role === "quarantine") : [];
  const folders = ["exports", "records", "kept"].flatMap((kind) =>
    foldersIn(join(site.home, kind))
      .filter((runId) => kind === "kept" || isWhole(join(site.home, kind, runId)))
      .map((runId) => ({ path: join(site.home, kind, runId), what: `${kind} of ${runId}`, mayChange: runId === own })),
  );
  return [
    ...snapshots,
    ...quarantines.map(({ name }) => ({ path: dumpFolder(site, name), what: `quarantine ${name}`, mayChange: false })),
    ...folders,
  ];
}

function foldersIn(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []));
}

/** Evidence and exports have a manifest, written last. */
function isWhole(folder: string): boolean {
  return existsSync(join(folder, MANIFEST)) || filesIn(folder).some((file) => file.endsWith(".manifest.json"));
}

/** Removes from the store what is removed from the home. @throws StoreError: it is recorded still, and the next attempt finds it */
export async function removeStored({ site, state }: Keeping, path: string): Promise<void> {
  const name = nameOf(site, path);
  const stored = name === null ? null : await state.kept<Stored>(storedKey(name));
  if (name === null || stored === null) return;
  const store = await openStore(site);
  if (store?.name === stored.store) await removeArtefact(store, stored.key);
  await state.forget(storedKey(name));
}

/** The same for a quarantine, which is a dump only where the data is replaced in place. */
export async function removeStoredCopy(keeping: Keeping, { role, name }: CatalogueDatabase): Promise<void> {
  if (role === "quarantine") await removeStored(keeping, dumpFolder(keeping.site, name));
}

/** Why the store cannot be used; null: it can, or there is none. Touches nothing. */
export async function storeRefusal(site: Site): Promise<string | null> {
  try {
    await (await openStore(site))?.check();
    return null;
  } catch (error) {
    if (error instanceof StoreError) return error.message;
    throw error;
  }
}
