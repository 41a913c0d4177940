/** PostgreSQL refuses to run as root: the user it runs as instead, and what that user can access. */
import { spawn } from "node:child_process";
import { existsSync, readFileSync, statSync } from "node:fs";
import { dirname } from "node:path";

/** The operating system's user that owns the server's processes and files. */
export interface Runner {
  name: string;
  uid: number;
  gid: number;
}

/** Started by root, and no other user exists to run the server as. */
export class NoRunnerError extends Error {
  constructor() {
    super(
      'PostgreSQL refuses to run as root, and neither a "postgres" nor a "nobody" user exists: add one (useradd --system postgres), or run as an ordinary user',
    );
    this.name = "NoRunnerError";
  }
}

/** `null`: the server runs as the invoking user. Only root gets a runner. */
export function serverRunner(): Runner | null {
  if (process.getuid?.() !== 0) return null;
  const users = parseUsers(readFileSync("/etc/passwd", "utf8"));
  const runner = users.find((user) => user.name === "postgres") ?? users.find((user) => user.name === "nobody" && user.uid > 0);
  if (runner === undefined) throw new NoRunnerError();
  return runner;
}

export function parseUsers(passwd: string): Runner[] {
  return passwd.split("\n").flatMap((line) => {
    const [name, , uid, gid] = line.split(":");
    if (!name || line.startsWith("#") || !uid || !gid) return [];
    return [{ name, uid: Number(uid), gid: Number(gid) }];
  });
}

/** Whether the runner may pass through every folder above `path` (and `path` itself, where it exists and is a folder). */
export function reachableBy(runner: Runner, path: string): boolean {
  for (let folder = path; ; folder = dirname(folder)) {
    if (existsSync(folder)) {
      const { mode, uid, gid } = statSync(folder);
      const bit = uid === runner.uid ? 0o100 : gid === runner.gid ? 0o010 : 0o001;
      if ((mode & bit) === 0) return false;
    }
    if (folder === dirname(folder)) return true;
  }
}

export interface Outcome {
  code: number | null;
  output: string;
}

/** Runs a program to its end as the runner, in its own session, without the caller's PostgreSQL variables. */
export function runAs(runner: Runner | null, program: string, args: readonly string[], folder: string): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd: folder,
      env: { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", LC_ALL: "C", LANG: "C" },
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
      ...(runner ? { uid: runner.uid, gid: runner.gid } : {}),
    });
    let output = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (output += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (output += text));
    child.once("error", reject);
    child.once("exit", (code) => {
      // A daemon that inherited the pipes must not keep this process waiting.
      setTimeout(() => {
        child.stdout.destroy();
        child.stderr.destroy();
        resolve({ code, output });
      }, 20);
    });
  });
}
