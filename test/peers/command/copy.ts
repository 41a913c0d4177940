/** `command:remote:CopyToRemote`: a file, a text or a folder to a host. Modes are not copied, and nothing on the host is removed. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { basename, join, posix } from "node:path";
import { promisify } from "node:util";
import type { Client, SFTPWrapper, Stats } from "ssh2";
import { dial, type Connection } from "./connection.ts";
import type { Messages } from "./messages.ts";

/** An asset or an archive as the engine hands it over. */
export interface Source {
  path?: string;
  text?: string;
  hash?: string;
}

/** Status of SFTP. */
const NO_SUCH_FILE = 2;

export interface CopyInputs {
  connection: Connection;
  source: Source;
  remotePath: string;
}

export async function copyToRemote({ connection, source, remotePath }: CopyInputs, messages: Messages, signal: AbortSignal): Promise<void> {
  const client = await dial(connection, messages, signal);
  try {
    const files = filesOf(await sftpOf(client));
    if (source.text !== undefined) await copyText(files, source.text, remotePath);
    else await copyPath(files, source.path!, remotePath);
  } finally {
    client.end();
  }
}

function sftpOf(client: Client): Promise<SFTPWrapper> {
  return new Promise((resolve, reject) => client.sftp((error, sftp) => (error === undefined ? resolve(sftp) : reject(error))));
}

type Files = ReturnType<typeof filesOf>;

/** What is done on the host. */
function filesOf(sftp: SFTPWrapper) {
  const [open, close, makeOne] = [promisify(sftp.open.bind(sftp)), promisify(sftp.close.bind(sftp)), promisify(sftp.mkdir.bind(sftp))];
  const saying = async <T>(what: string, path: string, work: Promise<T>): Promise<T> => {
    try {
      return await work;
    } catch (error) {
      throw new Error(`failed to ${what} ${path}: ${(error as Error).message}`, { cause: error });
    }
  };
  /** Null: nothing is there. */
  const stat = (path: string): Promise<Stats | null> =>
    new Promise((resolve, reject) =>
      sftp.stat(path, (error, stats) => {
        if (error === undefined || error === null) return resolve(stats);
        if ((error as unknown as { code: number }).code === NO_SUCH_FILE) return resolve(null);
        reject(new Error(`failed to stat remote path ${path}: ${error.message}`, { cause: error }));
      }),
    );
  const makeFolder = (path: string): Promise<void> => saying("create remote directory", path, makeOne(path));
  const makeFolders = async (path: string): Promise<void> => {
    const there = await stat(path);
    if (there?.isDirectory() === true) return;
    if (there !== null) throw new Error(`failed to create remote directory ${path}: not a directory`);
    if (posix.dirname(path) !== path) await makeFolders(posix.dirname(path));
    await makeFolder(path);
  };
  const write = async (path: string, content: () => Buffer): Promise<void> => {
    const handle = await saying("create remote file", path, open(path, "w"));
    try {
      const data = content();
      if (data.length > 0)
        await new Promise<void>((resolve, reject) =>
          sftp.write(handle, data, 0, data.length, 0, (error) => (error === undefined || error === null ? resolve() : reject(error))),
        );
    } finally {
      await close(handle);
    }
  };
  const copy = (from: string, to: string): Promise<void> =>
    saying(
      `copy file ${from} to remote path`,
      to,
      write(to, () => readFileSync(from)),
    );
  return { stat, makeFolder, makeFolders, write, copy };
}

async function copyText(files: Files, text: string, to: string): Promise<void> {
  if ((await files.stat(to))?.isDirectory() === true)
    throw new Error(`remote path ${to} is a directory; when using a text asset, remotePath must be a file path`);
  await files.makeFolders(posix.dirname(to));
  await files.write(to, () => Buffer.from(text));
}

/** A folder goes into the remote path under its own name, one that ends with a slash goes into it by what it contains. */
async function copyPath(files: Files, from: string, remotePath: string): Promise<void> {
  const isFolder = statSync(from).isDirectory();
  const there = await files.stat(remotePath);
  if (!isFolder) {
    if (there === null) await files.makeFolders(posix.dirname(remotePath));
    return files.copy(from, there?.isDirectory() === true ? posix.join(remotePath, basename(from)) : remotePath);
  }
  if (there === null) await files.makeFolders(remotePath);
  await copyFolder(files, from, from.endsWith("/") ? remotePath : posix.join(remotePath, basename(from)));
}

async function copyFolder(files: Files, from: string, to: string): Promise<void> {
  const there = await files.stat(to);
  if (there === null) await files.makeFolder(to);
  else if (!there.isDirectory()) throw new Error(`remote path ${to} exists but is not a directory`);
  const entries = readdirSync(from, { withFileTypes: true }).sort((one, other) =>
    Buffer.compare(Buffer.from(one.name), Buffer.from(other.name)),
  );
  // A link is followed where it leads to a file; one to a folder cannot be read.
  for (const entry of entries)
    if (entry.isDirectory()) await copyFolder(files, join(from, entry.name), posix.join(to, entry.name));
    else await files.copy(join(from, entry.name), posix.join(to, entry.name));
}
