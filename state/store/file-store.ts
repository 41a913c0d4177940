/** A store in a folder that several machines share. Who reads the folder reads what is in it: the folder's own mode decides. */
import { createHash, randomBytes } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { access, chmod, constants, mkdir, open, readdir, rename, rm, rmdir, stat, writeFile } from "node:fs/promises";
import { dirname, join, relative, sep } from "node:path";
import { pipeline } from "node:stream/promises";
import { storeName, type StorePlace } from "../../config/store.ts";
import { syncFolder } from "../../processes/atomic-file.ts";
import { StoreError, StoreObjectMissingError, WITHOUT, type ArtefactStore, type Sent } from "./store.ts";

const PART = ".part";

export function fileStore(place: StorePlace & { kind: "file" }): ArtefactStore {
  const { folder } = place;
  const name = storeName(place);
  const pathOf = (key: string): string => join(folder, ...key.split("/"));
  const failed = (error: unknown): never => {
    throw error instanceof StoreError ? error : new StoreError(name, (error as Error).message, { cause: error });
  };

  const check = async (): Promise<void> => {
    const found = await stat(folder).catch(() => null);
    // Not made: a share that is not mounted is an empty folder on the local disk.
    if (found?.isDirectory() !== true)
      throw new StoreError(name, `there is no folder ${folder} on this machine: mount it, or make it; ${WITHOUT}`);
    await access(folder, constants.R_OK | constants.W_OK | constants.X_OK).catch(() => {
      throw new StoreError(name, `this user may not write into ${folder}: grant it; ${WITHOUT}`);
    });
  };

  /** Under another name until it is whole and on disk. */
  const whole = async (key: string, write: (part: string) => Promise<void>): Promise<void> => {
    await check();
    const file = pathOf(key);
    const mode = (await stat(folder)).mode & 0o777;
    await makeFolders(folder, dirname(file), mode);
    const part = `${file}.${randomBytes(4).toString("hex")}${PART}`;
    try {
      await write(part);
      await chmod(part, mode & 0o666);
      const handle = await open(part, "r");
      await handle.sync().finally(() => handle.close());
      await rename(part, file);
      syncFolder(dirname(file));
    } catch (error) {
      await rm(part, { force: true }).catch(() => undefined);
      throw error;
    }
  };

  const put = async (key: string, file: string): Promise<Sent> => {
    const hash = createHash("sha256");
    let sizeBytes = 0;
    await whole(key, (part) =>
      pipeline(
        createReadStream(file),
        async function* (chunks: AsyncIterable<Buffer>) {
          for await (const chunk of chunks) {
            hash.update(chunk);
            sizeBytes += chunk.length;
            yield chunk;
          }
        },
        createWriteStream(part, { flags: "wx", mode: 0o600 }),
      ),
    ).catch(failed);
    return { sizeBytes, sha256: hash.digest("hex") };
  };

  const sizeOf = async (key: string): Promise<number | null> => {
    await check();
    const found = await stat(pathOf(key)).catch(() => null);
    return found?.isFile() === true ? found.size : null;
  };

  const list = async (prefix: string): Promise<string[]> => {
    await check();
    const top = pathOf(prefix.slice(0, prefix.lastIndexOf("/") + 1));
    const entries = await readdir(top, { recursive: true, withFileTypes: true }).catch(() => []);
    return entries
      .filter((entry) => entry.isFile() && !entry.name.endsWith(PART))
      .map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join("/"))
      .filter((key) => key.startsWith(prefix))
      .sort();
  };

  return {
    name,
    check,
    put,
    putText: (key, text) => whole(key, (part) => writeFile(part, text, { flag: "wx", mode: 0o600 })).catch(failed),
    get: async (key) => {
      if ((await sizeOf(key)) === null) throw new StoreObjectMissingError(name, key);
      return createReadStream(pathOf(key));
    },
    sizeOf,
    list,
    remove: async (key) => {
      await check();
      await rm(pathOf(key), { force: true }).catch(failed);
      // Folders that are empty now go, too: none of them is anything of its own.
      for (let above = dirname(pathOf(key)); above.startsWith(folder + sep); above = dirname(above))
        if (
          !(await rmdir(above).then(
            () => true,
            () => false,
          ))
        )
          break;
    },
  };
}

async function makeFolders(root: string, folder: string, mode: number): Promise<void> {
  if (folder === root) return;
  await makeFolders(root, dirname(folder), mode);
  const made = await mkdir(folder).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code !== "EEXIST") throw error;
      return false;
    },
  );
  if (made) await chmod(folder, mode);
}
