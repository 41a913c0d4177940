/**
 * An artefact in a store: the files of a folder, or one file, and a manifest with size and sha256 of each. The manifest is written last and removed
 * first: an artefact without it is not there. The caller records the sha256 of the manifest itself, and so every change is found.
 */
import { createHash } from "node:crypto";
import { createWriteStream, existsSync, readdirSync, statSync } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import { basename, dirname, join, relative, sep } from "node:path";
import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { fileLock } from "../../processes/file-lock.ts";
import { requireRoomAt } from "../../processes/room.ts";
import { hashOfFile } from "../evidence-folder.ts";
import { StoreError, StoreObjectMissingError, type ArtefactStore, type Sent } from "./store.ts";

const MANIFEST = "artefact.json";
/** Files that are sent or fetched at a time. */
const AT_ONCE = 3;
/** How often a transfer that is cut off is begun. */
const TRIES = 3;

interface Manifest {
  format: 1;
  /** It is one file, not a folder. */
  alone?: true;
  files: Record<string, Sent>;
}

/** What the store has is not what was put there. Nothing was kept of it. */
export class DamagedArtefactError extends StoreError {
  readonly key: string;
  readonly problems: readonly string[];
  constructor(store: string, key: string, problems: readonly string[]) {
    super(store, `${key} is damaged: ${problems.slice(0, 5).join("; ")}. Put it back from a backup of the store, or use another snapshot`);
    this.name = "DamagedArtefactError";
    this.key = key;
    this.problems = problems;
  }
}

/** The text of the manifest that an artefact of this path has: equal for equal files. */
export async function manifestOf(path: string): Promise<string> {
  const files: Record<string, Sent> = {};
  for (const [name, file] of filesOf(path)) files[name] = { sizeBytes: statSync(file).size, sha256: await hashOfFile(file) };
  return textOf(files, statSync(path).isFile());
}

/** @returns sha256 of the manifest, and bytes of the files. @throws StoreError */
export async function putArtefact(store: ArtefactStore, key: string, path: string): Promise<Sent> {
  const files: Record<string, Sent> = {};
  await each([...filesOf(path)], async ([name, file]) => {
    files[name] = await store.put(objectOf(key, name), file);
  });
  const text = textOf(files, statSync(path).isFile());
  await store.putText(`${key}/${MANIFEST}`, text);
  return { sha256: sha256(text), sizeBytes: Object.values(files).reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) };
}

/** Whether it is there as a whole. @throws StoreError */
export async function hasArtefact(store: ArtefactStore, key: string): Promise<boolean> {
  return (await store.sizeOf(`${key}/${MANIFEST}`)) !== null;
}

/** Fetches it to a path where nothing is; whole or not at all. @throws DamagedArtefactError, StoreError, InsufficientSpaceError */
export async function getArtefact(store: ArtefactStore, key: string, sha256: string, path: string): Promise<void> {
  const lock = await fileLock(`${path}.lock`);
  try {
    if (existsSync(path)) return;
    const { files, alone } = await manifestIn(store, key, sha256);
    const fetching = `${path}__fetching`;
    await rm(fetching, { recursive: true, force: true });
    await requireRoomAt(
      dirname(path),
      Object.values(files).reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    );
    try {
      await each(Object.entries(files), async ([name, wanted]) => {
        const file = join(fetching, name);
        await mkdir(dirname(file), { recursive: true, mode: 0o700 });
        const problem = await received(store, objectOf(key, name), wanted, file);
        if (problem !== null) throw new DamagedArtefactError(store.name, key, [`${name} ${problem}`]);
      });
      await rename(alone === true ? join(fetching, Object.keys(files)[0]!) : fetching, path);
    } finally {
      await rm(fetching, { recursive: true, force: true });
    }
  } finally {
    lock?.release();
    await rm(`${path}.lock`, { force: true });
  }
}

/** Reads all of it and keeps nothing. @returns what is wrong, one sentence each. @throws StoreError where the store does not answer */
export async function artefactProblems(store: ArtefactStore, key: string, sha256: string): Promise<string[]> {
  const problems: string[] = [];
  try {
    const { files } = await manifestIn(store, key, sha256);
    await each(Object.entries(files), async ([name, wanted]) => {
      const problem = await received(store, objectOf(key, name), wanted);
      if (problem !== null) problems.push(`${name} ${problem}`);
    });
  } catch (error) {
    if (!(error instanceof DamagedArtefactError)) throw error;
    problems.push(...error.problems);
  }
  return problems.sort();
}

/** Size and sha256 of each file. @throws DamagedArtefactError, StoreError */
export async function storedFiles(store: ArtefactStore, key: string, sha256: string): Promise<Record<string, Sent>> {
  return (await manifestIn(store, key, sha256)).files;
}

/** The text of one small file of it; null: it has none of that name. @throws DamagedArtefactError, StoreError */
export async function storedText(store: ArtefactStore, key: string, sha256Of: string, name: string): Promise<string | null> {
  const wanted = (await storedFiles(store, key, sha256Of))[name];
  if (wanted === undefined) return null;
  const text = await textIn(store, objectOf(key, name));
  if (sha256(text) !== wanted.sha256) throw new DamagedArtefactError(store.name, key, [`${name} was changed`]);
  return text.toString("utf8");
}

/** Removes it, and whatever an interrupted transfer left of it. @param except key of another artefact below it that stays */
export async function removeArtefact(store: ArtefactStore, key: string, except?: string): Promise<void> {
  const all = (await store.list(`${key}/`)).filter((object) => except === undefined || !object.startsWith(`${except}/`));
  const manifests = all.filter((object) => basename(object) === MANIFEST);
  for (const object of manifests) await store.remove(object);
  await each(
    all.filter((object) => !manifests.includes(object)),
    (object) => store.remove(object),
  );
}

function objectOf(key: string, name: string): string {
  return `${key}/files/${name}`;
}

/** Names in the artefact with their files; what is still being written is left out. */
function filesOf(path: string): Map<string, string> {
  if (statSync(path).isFile()) return new Map([[basename(path), path]]);
  const files = readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !/\.part(ial)?$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name));
  return new Map(files.map((file) => [relative(path, file).split(sep).join("/"), file]));
}

function textOf(files: Record<string, Sent>, alone: boolean): string {
  const sorted = Object.fromEntries(
    Object.entries(files)
      .sort(([one], [other]) => (one < other ? -1 : 1))
      .map(([name, { sizeBytes, sha256 }]) => [name, { sizeBytes, sha256 }]),
  );
  return `${JSON.stringify({ format: 1, ...(alone ? { alone } : {}), files: sorted } satisfies Manifest, null, 2)}\n`;
}

async function manifestIn(store: ArtefactStore, key: string, wanted: string): Promise<Manifest> {
  const text = await textIn(store, `${key}/${MANIFEST}`).catch((error: unknown) => {
    if (error instanceof StoreObjectMissingError) throw new DamagedArtefactError(store.name, key, [`${MANIFEST} is missing`]);
    throw error;
  });
  if (sha256(text) !== wanted) throw new DamagedArtefactError(store.name, key, [`${MANIFEST} was changed`]);
  return JSON.parse(text.toString("utf8")) as Manifest;
}

async function textIn(store: ArtefactStore, object: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of (await store.get(object)) as AsyncIterable<Buffer>) chunks.push(chunk);
  } catch (error) {
    if (error instanceof StoreError) throw error;
    throw cutOff(store, object, error);
  }
  return Buffer.concat(chunks);
}

function cutOff(store: ArtefactStore, object: string, cause: unknown): StoreError {
  return new StoreError(store.name, `${object} was cut off: ${(cause as Error).message}`, { cause });
}

/** Reads an object, into a file where one is given. @returns how it differs from what was sent; null: it does not */
async function received(store: ArtefactStore, object: string, wanted: Sent, file?: string): Promise<string | null> {
  for (let attempt = 1; ; attempt++) {
    const hash = createHash("sha256");
    let sizeBytes = 0;
    const counted = new Transform({
      transform(chunk: Buffer, _encoding, done) {
        hash.update(chunk);
        sizeBytes += chunk.length;
        done(null, file === undefined ? undefined : chunk);
      },
    });
    try {
      const from = await store.get(object);
      if (file === undefined) await pipeline(from, counted.resume());
      else await pipeline(from, counted, createWriteStream(file, { mode: 0o600, flush: true }));
    } catch (error) {
      if (error instanceof StoreObjectMissingError) return "is missing";
      if (error instanceof StoreError) throw error;
      if (attempt < TRIES) continue;
      throw cutOff(store, object, error);
    }
    if (sizeBytes !== wanted.sizeBytes) return `has ${sizeBytes} bytes, not ${wanted.sizeBytes}`;
    return hash.digest("hex") === wanted.sha256 ? null : "was changed";
  }
}

/** A few at a time; the first error ends it, after what was begun. */
async function each<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const left = [...items];
  let failed = false;
  const worker = async (): Promise<void> => {
    for (let item = left.shift(); item !== undefined && !failed; item = left.shift())
      await work(item).catch((error: unknown) => {
        failed = true;
        throw error;
      });
  };
  const ended = await Promise.allSettled(Array.from({ length: AT_ONCE }, worker));
  const error = ended.find((one) => one.status === "rejected");
  if (error !== undefined) throw error.reason;
}

/** Of a manifest's text. */
export function hashOfText(text: string): string {
  return sha256(text);
}

function sha256(text: string | Buffer): string {
  return createHash("sha256").update(text).digest("hex");
}
