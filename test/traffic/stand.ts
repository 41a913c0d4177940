/** A traffic gate as a real process in front of a service that tells what it was asked. */
import { once } from "node:events";
import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { Agent, createServer, request, type IncomingHttpHeaders, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTcpServer, type AddressInfo, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { atTestEnd } from "../support/cleaning.ts";
import { gateCommand } from "../../traffic/command.ts";
import type { GateConfigInput } from "../../traffic/config.ts";
import { newPass, writeGateState, type GateState } from "../../traffic/state.ts";
import { errorLines, observeProcess, startProcess, stopProcess, waitProcessHealthy } from "../../processes/process.ts";
import { takeFreePorts } from "../../drill/ports.ts";

export function newFolder(): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "backout-gate-")));
  atTestEnd(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export interface Upstream {
  port: number;
  seen: { method: string; url: string; headers: IncomingHttpHeaders; body: string }[];
  sockets: Set<Socket>;
  server: Server;
}

/** `/slow` and `/events` are answered when the test does it, through `waiting`; upgrades echo. */
export async function startUpstream(name: string, waiting: ServerResponse[] = []): Promise<Upstream> {
  const seen: Upstream["seen"] = [];
  const sockets = new Set<Socket>();
  const server = createServer((incoming, response) => {
    let body = "";
    incoming.on("data", (chunk: Buffer) => (body += chunk.toString()));
    incoming.on("end", () => {
      seen.push({ method: incoming.method ?? "", url: incoming.url ?? "", headers: incoming.headers, body });
      if (incoming.url === "/slow") return void waiting.push(response);
      if (incoming.url === "/events") {
        response.writeHead(200, { "content-type": "text/event-stream" });
        return void response.write("data: one\n\n");
      }
      response.end(`${name} ${incoming.method} ${incoming.url} ${body}`);
    });
  });
  server.on("upgrade", (incoming: IncomingMessage, socket: Socket) => {
    seen.push({ method: "UPGRADE", url: incoming.url ?? "", headers: incoming.headers, body: "" });
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.on("close", () => sockets.delete(socket));
    socket.on("end", () => socket.end());
    socket.write("HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n");
    socket.on("data", (chunk) => socket.write(chunk));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  atTestEnd(() => {
    sockets.forEach((socket) => socket.destroy());
    server.closeAllConnections();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, seen, sockets, server };
}

/** A service that ends a connection it has answered on as soon as it is asked again there: what meets who asks just when it is given up. */
export async function startForgetful(): Promise<{ port: number; seen: string[] }> {
  const seen: string[] = [];
  const server = createTcpServer((socket) => {
    let answered = false;
    socket.on("error", () => undefined);
    socket.on("data", (chunk) => {
      if (answered) return void socket.resetAndDestroy();
      answered = true;
      seen.push(chunk.toString("utf8").split(" HTTP/")[0] ?? "");
      socket.write("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ndone");
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  atTestEnd(() => server.close());
  return { port: (server.address() as AddressInfo).port, seen };
}

export interface Stand {
  folder: string;
  stateFile: string;
  pass: string;
  passHash: string;
  pid: number;
  /** Base URL by position of the listener. */
  urls: string[];
  write(changes?: Partial<GateState>): void;
  errors(): string[];
}

export function stateWith(passHash: string, changes: Partial<GateState> = {}): GateState {
  const maintenance = { mode: "off" as const, message: "" };
  return { mode: "open", epoch: 1, message: "Back <soon>", retryAfterSeconds: 120, passHash, maintenance, ...changes };
}

type WithoutPort<T> = T extends unknown ? Omit<T, "port"> : never;

/** @param state null leaves the state file away. */
export async function startGate(
  listeners: WithoutPort<GateConfigInput["listeners"][number]>[],
  state: Partial<GateState> | null = {},
  more: Partial<GateConfigInput> = {},
): Promise<Stand> {
  const folder = newFolder();
  const stateFile = join(folder, "gate-state.json");
  const { pass, passHash } = newPass();
  const write = (changes: Partial<GateState> = {}) => writeGateState(stateFile, stateWith(passHash, changes));
  if (state !== null) write(state);
  const ports = await takeFreePorts(listeners.length);
  const config = { stateFile, listeners: listeners.map((each, index) => ({ ...each, port: ports[index] ?? 0 })), ...more };
  const command = gateCommand(join(folder, "gate-config.json"), config);
  atTestEnd(() => stopProcess(folder, "gate", 5_000));
  const { record } = await startProcess(folder, {
    name: "gate",
    folder,
    command,
    environment: {},
    release: "v1",
    configHash: "a",
    port: null,
  });
  const urls = ports.map((port) => `http://127.0.0.1:${port}`);
  await waitProcessHealthy(folder, "gate", { url: `${urls[0]}/__backout/gate`, body: `"pid":${record.pid}`, timeoutMs: 30_000 });
  return { folder, stateFile, pass, passHash, pid: record.pid, urls, write, errors: () => errorLines(folder, "gate", 10) };
}

export const gateRuns = (stand: Stand) => observeProcess(stand.folder, "gate").running;

export interface Reply {
  status: number;
  headers: IncomingHttpHeaders;
  body: string;
  /** Port the request came from: equal for two requests of one connection. */
  localPort: number;
}

/** One request; `agent` keeps its connection for the next. */
export function ask(
  url: string,
  options: { method?: string; headers?: Record<string, string>; body?: string; agent?: Agent } = {},
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const { method = "GET", headers = {}, agent } = options;
    const outgoing = request(url, { method, headers, agent: agent ?? false }, (response) => {
      const localPort = response.socket.localPort ?? 0;
      let body = "";
      response.on("data", (chunk: Buffer) => (body += chunk.toString()));
      response.on("end", () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body, localPort }));
      response.on("error", reject);
    });
    outgoing.on("error", reject);
    outgoing.end(options.body);
  });
}

export function keepAlive(): Agent {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  atTestEnd(() => agent.destroy());
  return agent;
}

/** A WebSocket as far as the gate sees it: what happens after the upgrade is bytes. Resolves with the refusal where there is one. */
export function openSocket(url: string, headers: Record<string, string> = {}): Promise<{ socket: Socket } | { refused: number }> {
  return new Promise((resolve, reject) => {
    const key = { "sec-websocket-key": "AAAAAAAAAAAAAAAAAAAAAA==", "sec-websocket-version": "13" };
    const outgoing = request(url, { headers: { connection: "Upgrade", upgrade: "websocket", ...key, ...headers }, agent: false });
    outgoing.on("upgrade", (_response, socket: Socket) => {
      socket.on("error", () => undefined);
      atTestEnd(() => socket.destroy());
      resolve({ socket });
    });
    outgoing.on("response", (response) => {
      response.resume();
      resolve({ refused: response.statusCode ?? 0 });
    });
    outgoing.on("error", reject);
    outgoing.end();
  });
}

export async function echo(socket: Socket, text: string): Promise<string> {
  socket.write(text);
  const [chunk] = (await once(socket, "data")) as [Buffer];
  return chunk.toString();
}

export async function until(look: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await look())) await new Promise((resolve) => setTimeout(resolve, 15));
}
