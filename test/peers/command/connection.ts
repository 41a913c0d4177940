/** Connections to a host, as the provider makes them: tried again until the limit, then refused with the last reason. */
import { connect, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import ssh2, { type AuthenticationType, type Client, type ConnectConfig } from "ssh2";
import type { Messages } from "./messages.ts";

export interface Endpoint {
  host: string;
  port: number;
  user: string;
  privateKey?: string;
  privateKeyPassword?: string;
  password?: string;
  agentSocketPath?: string;
  /** How many failures are borne; one more is the end. -1: any number. */
  dialErrorLimit: number;
  /** Seconds for the connection of the sockets alone; 0: no limit. */
  perDialTimeout: number;
  /** A line as in `authorized_keys`; without it every host is believed. */
  hostKey?: string;
}

export interface Connection extends Endpoint {
  proxy?: Endpoint;
}

/** What the provider takes where nothing is said. */
export const DEFAULTS = { user: "root", port: 22, dialErrorLimit: 10, perDialTimeout: 15 } as const;

const FIRST_PAUSE_MS = 100;
const LAST_PAUSE_MS = 5_000;

type Config = Omit<ConnectConfig, "sock"> & { methods: AuthenticationType[] };

/** @returns a client that is logged in; whoever asks for it ends it. */
export async function dial(connection: Connection, messages: Messages, signal: AbortSignal): Promise<Client> {
  const config = await configOf(connection);
  const { proxy } = connection;
  const again = <T>(what: string, limit: number, attempt: () => Promise<T>) => withRetry(what, limit, attempt, messages, signal);
  if (proxy === undefined) {
    return again("Dial", connection.dialErrorLimit, async () =>
      logIn(await openSocket(connection.host, connection.port, connection.perDialTimeout), config),
    );
  }
  try {
    const proxyConfig = await configOf(proxy);
    const between = await again("Dial proxy", proxy.dialErrorLimit, async () =>
      logIn(await openSocket(proxy.host, proxy.port, proxy.perDialTimeout), proxyConfig),
    );
    try {
      const client = await again("Dial from proxy", connection.dialErrorLimit, async () =>
        logIn(await forwarded(between, connection), config),
      );
      client.once("close", () => between.end());
      return client;
    } catch (error) {
      between.end();
      throw error;
    }
  } catch (error) {
    throw new Error(`proxy: ${(error as Error).message}`, { cause: error });
  }
}

async function withRetry<T>(what: string, limit: number, attempt: () => Promise<T>, messages: Messages, signal: AbortSignal): Promise<T> {
  for (let failures = 0, pauseMs = FIRST_PAUSE_MS; ; failures++, pauseMs = Math.min(pauseMs * 1.5, LAST_PAUSE_MS)) {
    try {
      signal.throwIfAborted();
      return await attempt();
    } catch (error) {
      const reached = limit > -1 && failures + 1 > limit;
      if (signal.aborted) throw error;
      if (reached) throw new Error(`after ${failures} failed attempts: ${(error as Error).message}`, { cause: error });
      messages.line(`${what} ${failures + 1}/${limit === -1 ? "inf" : limit} failed: retrying`);
      await sleep(pauseMs, undefined, { signal });
    }
  }
}

/** What is wrong here is said before anything is tried. */
async function configOf(endpoint: Endpoint): Promise<Config> {
  const { hostKey, privateKey, privateKeyPassword: passphrase, password } = endpoint;
  const expected = hostKey === undefined ? undefined : hostKeyOf(hostKey);
  if (privateKey !== undefined) {
    const parsed = ssh2.utils.parseKey(privateKey, passphrase);
    if (parsed instanceof Error) throw new Error(`ssh: the private key cannot be read: ${parsed.message}`);
  }
  const agent = endpoint.agentSocketPath ?? (process.env["SSH_AUTH_SOCK"] || undefined);
  if (agent !== undefined) await checkAgent(agent);
  // A method is tried once: where there is a key of one's own, those of the agent are not.
  const methods: (AuthenticationType | false | undefined)[] = [
    privateKey !== undefined && "publickey",
    password !== undefined && "password",
    password !== undefined && "keyboard-interactive",
    privateKey === undefined && agent !== undefined && "agent",
  ];
  return {
    username: endpoint.user,
    privateKey,
    passphrase,
    password,
    agent,
    tryKeyboard: password !== undefined,
    methods: methods.filter((method) => typeof method === "string"),
    // The provider limits the connection of the sockets alone.
    readyTimeout: 0,
    ...(expected === undefined
      ? {}
      : {
          algorithms: { serverHostKey: [expected.type] } as ConnectConfig["algorithms"],
          hostVerifier: (key: Buffer) => key.equals(expected.key),
        }),
  };
}

function hostKeyOf(line: string): { type: string; key: Buffer } {
  const [type, data] = line.trim().split(/\s+/);
  const parsed = data === undefined ? new Error("no key") : ssh2.utils.parseKey(`${type} ${data}`);
  if (parsed instanceof Error) throw new Error(`failed to parse host key: ${parsed.message}`);
  return { type: type!, key: parsed.getPublicSSH() };
}

function checkAgent(path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.once("error", (error) => reject(new Error(`dial unix ${path}: ${reasonOf(error)}`)));
    socket.once("connect", () => {
      socket.destroy();
      resolve();
    });
  });
}

const REASONS: Record<string, string> = {
  ENOENT: "connect: no such file or directory",
  ECONNREFUSED: "connect: connection refused",
  EHOSTUNREACH: "connect: no route to host",
  ENETUNREACH: "connect: network is unreachable",
  ENOTFOUND: "no such host",
};

const reasonOf = (error: NodeJS.ErrnoException): string => REASONS[error.code ?? ""] ?? error.message;

function openSocket(host: string, port: number, limitSeconds: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, host);
    const fail = (reason: string): void => {
      socket.destroy();
      reject(new Error(`dial tcp ${host}:${port}: ${reason}`));
    };
    if (limitSeconds > 0) socket.setTimeout(limitSeconds * 1_000, () => fail("i/o timeout"));
    socket.once("error", (error) => fail(reasonOf(error)));
    socket.once("connect", () => {
      socket.setTimeout(0);
      socket.removeAllListeners("error");
      resolve(socket);
    });
  });
}

function forwarded(client: Client, { host, port }: Endpoint): Promise<Duplex> {
  return new Promise((resolve, reject) =>
    client.forwardOut("127.0.0.1", 0, host, port, (error, channel) => {
      const reason = (error as { message?: string } | undefined)?.message?.replace(/^\(SSH\) Channel open failure: /, "");
      if (reason === undefined) resolve(channel);
      else reject(new Error(`ssh: rejected: connect failed (${reason})`));
    }),
  );
}

function logIn(socket: Duplex, { methods, ...config }: Config): Promise<Client> {
  return new Promise((resolve, reject) => {
    const client = new ssh2.Client();
    let ready = false;
    client.on("error", (error) => {
      // What comes later ends the channels, too.
      if (ready) return;
      reject(new Error(`ssh: handshake failed: ${handshakeReason(error.message, methods)}`, { cause: error }));
      client.destroy();
      socket.destroy();
    });
    client.once("close", () => reject(new Error("ssh: handshake failed: EOF")));
    client.once("ready", () => {
      ready = true;
      resolve(client);
    });
    client.on("keyboard-interactive", (_name, _instructions, _language, prompts, finish) =>
      finish(prompts.map(() => config.password ?? "")),
    );
    client.connect({ ...config, sock: socket, authHandler: ["none", ...methods] });
  });
}

function handshakeReason(message: string, methods: string[]): string {
  if (message.includes("authentication methods failed")) {
    const tried = ["none", ...methods.map((method) => (method === "agent" ? "publickey" : method))].join(" ");
    return `ssh: unable to authenticate, attempted methods [${tried}], no supported methods remain`;
  }
  if (message.includes("verification failed")) return "ssh: host key mismatch";
  if (message.includes("no matching host key")) return "ssh: no common algorithm for host key";
  if (message.includes("lost before handshake")) return "EOF";
  return message;
}
