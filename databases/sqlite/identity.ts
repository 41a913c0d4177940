/** Which file a path means. A rename keeps the identity, as it keeps the OID of a database; a file put in its place has another. */
import { lstatSync, realpathSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";

/** Null where there is no file. Inode numbers are given again once a file is gone: the time of birth tells two apart. */
export function identityOf(path: string): string | null {
  const found = statSync(path, { bigint: true, throwIfNoEntry: false });
  return found === undefined || !found.isFile() ? null : `${found.ino}:${found.birthtimeNs}`;
}

/** The path without links: names are changed in the folder where the file really lies. */
export function realPath(path: string): string {
  const link = lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true;
  if (link) return realpathSync(path);
  const folder = dirname(path);
  return statSync(folder, { throwIfNoEntry: false }) === undefined ? path : join(realpathSync(folder), basename(path));
}

/** What SQLite keeps beside a file: it belongs to the name, so a file put under the name would be taken for its owner. */
export const BESIDE = ["-wal", "-shm", "-journal"] as const;
