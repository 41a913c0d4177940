/** The embedded server: made, started, looked at, stopped and removed. It outlives the process that started it. */
import { randomBytes } from "node:crypto";
import { chownSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { readdir, rename, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { basename, join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { findBinaries, type Binaries } from "./binaries.ts";
import { findPostmaster } from "./postmaster.ts";
import { runAs, serverRunner, type Runner } from "../../processes/run-as.ts";
import { ServerPortError, ServerStartError } from "./server-errors.ts";
import { claimHome, eraseHome, isFolder, readMarker, writeWhole } from "./server-home.ts";
import { layoutOf, locate, type Layout } from "../../config/server-home.ts";
import { withHomeLock } from "./server-lock.ts";
import { RECOVERY_TIMEOUT_MS, start, tailOf, untilAccepting } from "./server-start.ts";

export { ServerPortError, ServerStartError } from "./server-errors.ts";
export { NotAServerHomeError } from "./server-home.ts";

export interface ServerOptions {
  /** Folder of the server; made when absent. */
  home: string;
  /** Port on 127.0.0.1, chosen by the caller. */
  port: number;
  /** Name of the superuser, given when the server is made. */
  superuser: string;
  /** Receives what happens, one line each. */
  log?: (line: string) => void;
}

export interface ServerState {
  /** `already`: it ran. `started`: it was stopped, or had crashed and has recovered. `created`: it did not exist. */
  state: "already" | "started" | "created";
  pid: number;
  port: number;
  /** `18.4` */
  version: string;
  dataFolder: string;
  /** Readable by the invoking user only. */
  passwordFile: string;
}

export interface ServerObservation {
  state: "absent" | "stopped" | "running";
  pid: number | null;
  /** The port it runs on, or ran on last. */
  port: number | null;
}

/** The folder a server's files really are in: `home`, unless root started it and the server's user cannot reach `home`. */
export function serverFolder(home: string): string {
  return locate(home, serverRunner());
}

/**
 * Makes the server and starts it as far as that is still to be done, and returns when it accepts connections.
 * @throws ServerPortError, ServerStartError, NotAServerHomeError, BinariesMissingError, NoRunnerError
 */
export async function ensureServer(options: ServerOptions): Promise<ServerState> {
  if (!Number.isInteger(options.port) || options.port < 1 || options.port > 65_535) {
    throw new ServerPortError(`${options.port} is no port: choose one between 1 and 65535`, options.port);
  }
  return withHomeLock(options.home, () => ensureLocked(options));
}

async function ensureLocked({ home, port, superuser, log = () => undefined }: ServerOptions): Promise<ServerState> {
  const runner = serverRunner();
  const known = layoutOf(locate(home, runner));
  const running = isFolder(known.data) ? findPostmaster(known.data) : null;
  if (running && running.port !== port) {
    throw new ServerPortError(
      `the server in ${known.folder} runs on port ${running.port}, not ${port}: stop it first, or declare port ${running.port}`,
      port,
    );
  }
  if (running && (await answers(known, superuserOf(known, superuser), port))) {
    return {
      state: "already",
      pid: running.pid,
      port,
      version: versionIn(known),
      dataFolder: known.data,
      passwordFile: known.passwordFile,
    };
  }
  await refuseTakenPort(port);
  const binaries = await findBinaries(runner);
  const made = readMarker(known.folder);
  const exists = isFolder(known.data);
  const owner = exists ? superuserOf(known, superuser) : superuser;
  const layout = claimHome(home, runner, {
    format: 1,
    home: resolve(home),
    superuser: owner,
    version: exists && made ? made.version : binaries.version,
    port,
  });
  if (!exists) {
    log(`making a PostgreSQL ${binaries.version} server in ${layout.folder}`);
    await makeCluster(layout, binaries, runner, superuser);
  } else if (!existsSync(layout.passwordFile)) {
    throw new ServerStartError(`${layout.passwordFile} is missing: put the password of "${owner}" back there (mode 0600)`);
  }
  log(`starting PostgreSQL ${binaries.version} on 127.0.0.1:${port}`);
  await start(layout, binaries, runner, port, owner);
  const postmaster = findPostmaster(layout.data);
  if (postmaster === null) throw new ServerStartError(`the server in ${layout.folder} ended right after it was started`, tailOf(layout));
  return {
    state: exists ? "started" : "created",
    pid: postmaster.pid,
    port,
    version: versionIn(layout),
    dataFolder: layout.data,
    passwordFile: layout.passwordFile,
  };
}

export function observeServer(home: string): ServerObservation {
  const layout = layoutOf(serverFolder(home));
  if (!isFolder(layout.data)) return { state: "absent", pid: null, port: null };
  const postmaster = findPostmaster(layout.data);
  if (postmaster) return { state: "running", pid: postmaster.pid, port: postmaster.port };
  return { state: "stopped", pid: null, port: readMarker(layout.folder)?.port ?? null };
}

/** `fast` ends sessions and checkpoints; `immediate` is a crash on purpose: the next start recovers. */
export async function stopServer(home: string, { mode }: { mode: "fast" | "immediate" }): Promise<"already" | "stopped"> {
  if (!existsSync(resolve(home)) && !existsSync(serverFolder(home))) return "already";
  return withHomeLock(home, () => stopLocked(home, mode));
}

async function stopLocked(home: string, mode: "fast" | "immediate"): Promise<"already" | "stopped"> {
  const layout = layoutOf(serverFolder(home));
  const postmaster = isFolder(layout.data) ? findPostmaster(layout.data) : null;
  if (postmaster === null) return "already";
  process.kill(postmaster.pid, mode === "fast" ? "SIGINT" : "SIGQUIT");
  const deadline = Date.now() + RECOVERY_TIMEOUT_MS;
  while (findPostmaster(layout.data)?.pid === postmaster.pid) {
    if (Date.now() > deadline)
      throw new ServerStartError(`the server in ${layout.folder} (pid ${postmaster.pid}) does not stop: see ${layout.log}`, tailOf(layout));
    await sleep(25);
  }
  return "stopped";
}

/**
 * Stops the server and deletes its files.
 * @throws NotAServerHomeError when the folder was not made by `ensureServer`; nothing is touched then.
 */
export async function removeServer(home: string): Promise<"already" | "removed"> {
  const folder = serverFolder(home);
  if (!existsSync(folder)) {
    eraseHome(home, serverRunner());
    return "already";
  }
  return withHomeLock(home, async () => {
    if (readMarker(folder) !== null) await stopLocked(home, "immediate");
    eraseHome(home, serverRunner());
    return "removed" as const;
  });
}

const MAKING = "__making_";

/** What is being written at this moment cannot be removed, and goes with the server. */
async function removeHalfMade({ folder, data }: Layout): Promise<void> {
  for (const name of await readdir(folder))
    if (name.startsWith(`${basename(data)}${MAKING}`))
      await rm(join(folder, name), { recursive: true, force: true }).catch(() => undefined);
}

/** Under a temporary name until complete, so that one killed half-way is started over. */
async function makeCluster(layout: Layout, binaries: Binaries, runner: Runner | null, superuser: string): Promise<void> {
  await removeHalfMade(layout);
  // An initdb outlives its killed starter and, when it fails, removes the folder it was given: no other folder may have that name.
  const making = `${layout.data}${MAKING}${randomBytes(4).toString("hex")}`;
  const pwfile = join(layout.folder, "initdb-password");
  // Never with a `-` at its beginning, which command lines take for an option.
  const password = randomBytes(24).toString("hex");
  writeWhole(layout.passwordFile, password + "\n", 0o600);
  writeFileSync(pwfile, password + "\n", { mode: 0o600 });
  try {
    if (runner) chownSync(pwfile, runner.uid, runner.gid);
    const args = [
      "-D",
      making,
      "-U",
      superuser,
      `--pwfile=${pwfile}`,
      "-A",
      "scram-sha-256",
      "-E",
      "UTF8",
      "--locale=C",
      "--data-checksums",
      "--no-instructions",
    ];
    const { code, output } = await runAs(runner, join(binaries.folder, "initdb"), args, layout.folder);
    if (code !== 0) throw new ServerStartError(`initdb failed with exit code ${code}`, output.trim());
  } finally {
    await rm(pwfile, { force: true });
  }
  await rename(making, layout.data);
}

/** `false`: it was dying when it was seen, and is gone now. */
async function answers(layout: Layout, superuser: string, port: number): Promise<boolean> {
  try {
    await untilAccepting(layout, superuser, port);
    return true;
  } catch (error) {
    if (error instanceof ServerStartError && findPostmaster(layout.data) === null) return false;
    throw error;
  }
}

function refuseTakenPort(port: number): Promise<void> {
  return new Promise((resolveFree, reject) => {
    const probe = createServer();
    probe.once("error", (error: NodeJS.ErrnoException) =>
      reject(
        new ServerPortError(`port ${port} on 127.0.0.1 cannot be used (${error.code}): another program has it; choose another port`, port),
      ),
    );
    probe.listen({ port, host: "127.0.0.1", exclusive: true }, () => probe.close(() => resolveFree()));
  });
}

function superuserOf(layout: Layout, asked: string): string {
  return readMarker(layout.folder)?.superuser ?? asked;
}

function versionIn(layout: Layout): string {
  return readMarker(layout.folder)?.version ?? readFileSync(join(layout.data, "PG_VERSION"), "utf8").trim();
}
