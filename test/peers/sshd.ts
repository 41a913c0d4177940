/**
 * A real OpenSSH server of a test's own: its folder, host key, login key and port are its own, and it serves one user, who logs in by key. As
 * root it runs as another user of this machine, else as oneself. That user's home is in the server's folder.
 */
import { spawn } from "node:child_process";
import {
  accessSync,
  appendFileSync,
  chmodSync,
  chownSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { connect } from "node:net";
import { tmpdir, userInfo } from "node:os";
import { delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import ssh2 from "ssh2";
import { end } from "../../processes/end.ts";
import { findByEnvironment, liveProcesses, lookUp, type LiveProcess } from "../../processes/identity.ts";
import { serverRunner, type Runner } from "../../processes/run-as.ts";
import { freePort } from "../support/free-port.ts";

export interface SshdOptions {
  /** Names or patterns of variables that a client may set. Default: none, as OpenSSH has it. */
  acceptEnv?: string[];
  /** Folders that come first on the PATH of what the user runs. Default: none. */
  path?: string[];
  /** More of the user's environment, by the home folder. Default: nothing. */
  environment?: (home: string) => Record<string, string>;
}

export interface Sshd {
  host: string;
  port: number;
  /** Name of the user who logs in. */
  user: string;
  /** Null: the user is oneself. */
  runner: Runner | null;
  /** Home of that user, and where a session starts. */
  home: string;
  /** Of the login, in OpenSSH's format. */
  privateKey: string;
  /** As in a line of `known_hosts`, without the host: `ssh-ed25519 AAAA…`. */
  hostKey: string;
  pid: number;
  /** Lets one more key log in: a line as in `authorized_keys`. */
  authorize: (publicKey: string) => void;
  /** What the server said so far. */
  log: () => string;
  /** Ends the server, and what still runs of what was started on it, and removes the folder. Once it has ended it does nothing. */
  stop: () => Promise<void>;
}

const START_LIMIT_MS = 20_000;
const END_GRACE_MS = 5_000;
const SERVERS = ["/usr/sbin/sshd", "/usr/local/sbin/sshd", "/opt/homebrew/sbin/sshd"];
/** A program, not the server's internal one: a forced command can start it. */
const SFTP_SERVERS = [
  "/usr/lib/openssh/sftp-server",
  "/usr/libexec/openssh/sftp-server",
  "/usr/lib/ssh/sftp-server",
  "/usr/libexec/sftp-server",
];

interface Parts {
  sshd: string;
  sftp: string;
  user: string;
  runner: Runner | null;
}

/** Why there can be no such server here; `null` when there can. */
export function missingSshd(): string | null {
  const parts = partsOf();
  return typeof parts === "string" ? parts : null;
}

function partsOf(): Parts | string {
  const executable = (paths: string[]): string | undefined =>
    paths.find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
  const onPath = (process.env["PATH"] ?? "").split(delimiter).map((folder) => join(folder, "sshd"));
  const sshd = executable([...SERVERS, ...onPath]);
  if (sshd === undefined) return "no sshd on this machine (Debian's package openssh-server)";
  const sftp = executable(SFTP_SERVERS);
  if (sftp === undefined) return "no sftp-server on this machine (Debian's package openssh-sftp-server)";
  try {
    const runner = serverRunner();
    const user = runner?.name ?? userInfo().username;
    const shell = runner === null ? userInfo().shell : shellOf(user);
    if (/(nologin|false)$/.test(shell ?? "")) return `the user ${user} cannot log in: its shell is ${shell}`;
    return { sshd, sftp, user, runner };
  } catch (error) {
    return `nobody to log in as: ${(error as Error).message}`;
  }
}

function shellOf(user: string): string {
  const line = readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .find((each) => each.startsWith(`${user}:`));
  return line?.split(":").at(-1) ?? "";
}

/**
 * Starts the server and waits until it answers.
 *
 * @throws where it cannot start, with its log; and with the reason that {@link missingSshd} gives
 */
export async function startSshd({ acceptEnv = [], path = [], environment = () => ({}) }: SshdOptions = {}): Promise<Sshd> {
  const parts = partsOf();
  if (typeof parts === "string") throw new Error(parts);
  const { sshd, sftp, user, runner } = parts;
  const folder = mkdtempSync(join(tmpdir(), "backout-sshd-"));
  const home = join(folder, "home");
  const login = ssh2.utils.generateKeyPairSync("ed25519");
  const host = ssh2.utils.generateKeyPairSync("ed25519");
  const port = await freePort();
  const file = (name: string, text: string, mode: number): string => {
    const full = join(folder, name);
    writeFileSync(full, text, { mode });
    if (runner !== null) chownSync(full, runner.uid, runner.gid);
    return full;
  };
  mkdirSync(home);
  chmodSync(folder, 0o755);
  if (runner !== null) for (const each of [folder, home]) chownSync(each, runner.uid, runner.gid);
  const keys = file("authorized-keys", `${login.public}\n`, 0o600);
  const session = file("session", sessionScript(home, path, environment(home)), 0o755);
  const config = file(
    "config",
    [
      `ListenAddress 127.0.0.1:${port}`,
      `HostKey ${file("host-key", host.private, 0o600)}`,
      `AuthorizedKeysFile ${keys}`,
      `PidFile ${join(folder, "pid")}`,
      `AllowUsers ${user}`,
      "AuthenticationMethods publickey",
      "PasswordAuthentication no",
      "KbdInteractiveAuthentication no",
      "UsePAM no",
      // The folder for temporary files is everybody's.
      "StrictModes no",
      `Subsystem sftp ${sftp}`,
      `ForceCommand ${session}`,
      // Many tests connect at a time.
      "MaxStartups 100",
      ...acceptEnv.map((name) => `AcceptEnv ${name}`),
      "",
    ].join("\n"),
    0o600,
  );
  const child = spawn(sshd, ["-D", "-e", "-f", config], {
    cwd: folder,
    env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin" },
    detached: true,
    stdio: ["ignore", "ignore", "pipe"],
    ...(runner === null ? {} : { uid: runner.uid, gid: runner.gid }),
  });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (said += text));
  let ended: string | undefined;
  child.once("error", (error) => (ended = error.message));
  child.once("exit", (code, signal) => (ended = `it ended with ${code ?? signal}`));
  const stop = async (): Promise<void> => {
    if (!existsSync(folder)) return;
    // The server first, so that nobody logs in while the rest ends.
    const family = child.pid === undefined || ended !== undefined ? [] : withDescendants(child.pid);
    await end("sshd", family, END_GRACE_MS);
    await end(
      "host",
      findByEnvironment("HOME", home).filter(({ value }) => value === home),
      END_GRACE_MS,
    );
    child.stderr.destroy();
    rmSync(folder, { recursive: true, force: true });
  };
  const deadline = performance.now() + START_LIMIT_MS;
  while (!(await greets(port))) {
    if (ended === undefined && performance.now() < deadline) {
      await sleep(20);
      continue;
    }
    await stop();
    throw new Error(`sshd does not answer: ${ended ?? `nothing on port ${port} after ${START_LIMIT_MS / 1000} s`}\n${said}`);
  }
  const hostKey = host.public.split(" ").slice(0, 2).join(" ");
  return {
    host: "127.0.0.1",
    port,
    user,
    runner,
    home,
    privateKey: login.private,
    hostKey,
    pid: child.pid!,
    authorize: (publicKey) => appendFileSync(keys, `${publicKey}\n`),
    log: () => said,
    stop,
  };
}

/** Every session runs by it: the user's home and environment are the test's. */
function sessionScript(home: string, path: string[], environment: Record<string, string>): string {
  const variables = { HOME: home, PATH: [...path, "/usr/local/bin", "/usr/bin", "/bin"].join(delimiter), ...environment };
  return [
    "#!/bin/sh",
    ...Object.entries(variables).map(([name, value]) => `export ${name}=${quoted(value)}`),
    'cd "$HOME" || exit 126',
    "command=$SSH_ORIGINAL_COMMAND",
    "unset SSH_ORIGINAL_COMMAND",
    '[ -n "$command" ] || exec /bin/sh',
    'exec /bin/sh -c "$command"',
    "",
  ].join("\n");
}

const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

function withDescendants(pid: number): LiveProcess[] {
  const all = liveProcesses();
  const below = (parent: number): LiveProcess[] =>
    all.filter((each) => each.parent === parent).flatMap((each) => [each, ...below(each.pid)]);
  const self = lookUp(pid);
  return self === null ? [] : [self, ...below(pid)];
}

/** Whether somebody who speaks SSH answers. */
function greets(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    const answer = (yes: boolean): void => {
      socket.destroy();
      resolve(yes);
    };
    socket.setTimeout(2_000, () => answer(false));
    socket.once("error", () => answer(false));
    socket.once("data", (data) => answer(data.toString("latin1").startsWith("SSH-2.0-")));
    socket.once("close", () => answer(false));
  });
}
