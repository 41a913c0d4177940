/** The server of tests that reach a host: it lets in who has its key, and leaves nothing behind. */
import { existsSync, readFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { dirname, join } from "node:path";
import ssh2 from "ssh2";
import { afterEach, beforeEach, expect, test } from "vitest";
import { isRunning } from "../../processes/identity.ts";
import { freePort } from "../support/free-port.ts";
import { dial, DEFAULTS, type Connection } from "./command/connection.ts";
import { runRemotely } from "./command/remote.ts";
import { missingSshd, startSshd, type Sshd, type SshdOptions } from "./sshd.ts";

const MISSING = missingSshd();
const QUIET = { line: () => undefined, warn: () => undefined, fail: () => undefined };
const never = new AbortController().signal;

let stops: (() => Promise<void>)[] = [];
beforeEach((context) => {
  stops = [];
  if (MISSING !== null) context.skip(MISSING);
});
afterEach(async () => {
  for (const stop of stops) await stop();
});

async function started(options?: SshdOptions): Promise<Sshd> {
  const sshd = await startSshd(options);
  stops.push(sshd.stop);
  return sshd;
}

const to = ({ host, port, user, privateKey, hostKey }: Sshd, more: Partial<Connection> = {}): Connection => ({
  ...DEFAULTS,
  host,
  port,
  user,
  privateKey,
  hostKey,
  dialErrorLimit: 0,
  ...more,
});
const run = (connection: Connection, command: string, environment: Record<string, string> = {}) =>
  runRemotely(command, { connection, environment }, { stdout: "", stderr: "" }, QUIET, never);

test("a server that cannot start says why, and leaves no folder", async () => {
  const failure = await startSshd({ acceptEnv: ["A\nNoSuchOption yes"] }).catch((error: Error) => error);
  expect((failure as Error).message).toMatch(/sshd does not answer: it ended with 255\n.*NoSuchOption/s);
  const config = /(\/\S+)\/config/.exec((failure as Error).message)?.[1];
  expect(config).toBeDefined();
  expect(existsSync(config!)).toBe(false);
});

test("it lets in its own key alone, as its user, in a home of its own", async () => {
  const sshd = await started({ acceptEnv: ["SHOP"], path: ["/of/the/test"], environment: (home) => ({ DATA: `${home}/it's data` }) });
  const other = ssh2.utils.generateKeyPairSync("ed25519").private;
  await expect(run(to(sshd, { privateKey: other }), "true")).rejects.toThrow("unable to authenticate");
  await expect(run(to(sshd, { privateKey: undefined, password: "guess" }), "true")).rejects.toThrow("unable to authenticate");
  await expect(run(to(sshd, { user: "root-or-else" }), "true")).rejects.toThrow("unable to authenticate");
  const { stdout } = await run(to(sshd), 'id -un; pwd; echo "$HOME"; echo "$DATA"; echo "$PATH"; echo "$SHOP"', { SHOP: "open" });
  expect(stdout.split("\n")).toEqual([
    sshd.user,
    sshd.home,
    sshd.home,
    `${sshd.home}/it's data`,
    expect.stringMatching(/^\/of\/the\/test:/),
    "open",
  ]);
  sshd.authorize(publicOf(other));
  expect(await run(to(sshd, { privateKey: other }), "echo in")).toMatchObject({ stdout: "in" });
});

function publicOf(privateKey: string): string {
  const key = ssh2.utils.parseKey(privateKey);
  if (key instanceof Error) throw key;
  return `${key.type} ${key.getPublicSSH().toString("base64")}`;
}

test("its end is the end of whatever was started on it", async () => {
  const sshd = await started();
  const waiting = run(to(sshd), "echo $$ > session; exec sleep 1000").catch((error: Error) => error.message);
  await run(to(sshd), "setsid sleep 1000 >/dev/null 2>&1 </dev/null & echo $! > left");
  await expect.poll(() => existsSync(join(sshd.home, "session")) && readFileSync(join(sshd.home, "session"), "utf8")).toMatch(/\d/);
  const pids = ["session", "left"].map((file) => Number(readFileSync(join(sshd.home, file), "utf8")));
  expect([sshd.pid, ...pids].map(isRunning)).toEqual([true, true, true]);
  await sshd.stop();
  expect([sshd.pid, ...pids].map(isRunning)).toEqual([false, false, false]);
  expect(await waiting).toMatch(/Process exited with signal|without exit status/);
  expect(existsSync(dirname(sshd.home))).toBe(false);
  await sshd.stop();
});

test("a host that comes later is reached where failures are borne, and one is tried as often as the limit says and once more", async () => {
  const port = await freePort();
  let asked = 0;
  const refusing = createServer((socket) => {
    asked++;
    socket.destroy();
  });
  await new Promise<void>((resolve) => refusing.listen(port, "127.0.0.1", resolve));
  const sshd = await started();
  await expect(run(to(sshd, { port, dialErrorLimit: 2 }), "true")).rejects.toThrow(/after 2 failed attempts: ssh: handshake failed: /);
  expect(asked).toBe(3);
  const late = dial(to(sshd, { port, dialErrorLimit: -1 }), QUIET, never);
  await expect.poll(() => asked).toBeGreaterThan(4);
  await new Promise((resolve) => refusing.close(resolve));
  const passing = createServer((socket) => {
    const inner = connect(sshd.port, sshd.host);
    for (const each of [socket, inner]) each.on("error", () => undefined);
    socket.pipe(inner).pipe(socket);
  });
  await new Promise<void>((resolve) => passing.listen(port, "127.0.0.1", resolve));
  (await late).end();
  await new Promise((resolve) => passing.close(resolve));
});
