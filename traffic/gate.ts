/** The traffic gate: one listener per public service, one state for all. */
import type { Server } from "node:http";
import type { Server as TlsServer } from "node:tls";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { GateConfigError, configurationId, type GateConfig, type GateListener } from "./config.ts";
import { createListener, type Destination, type Served } from "./listener.ts";
import { proxyTo } from "./proxy.ts";
import { routed } from "./routes.ts";
import { serveFolder } from "./static.ts";
import type { GateState } from "./state.ts";
import { readTls, renewTls, type TlsPair } from "./tls.ts";
import { Traffic } from "./traffic.ts";
import { followUpstreams } from "./upstreams.ts";
import type { TlsFiles } from "../config/system/traffic.ts";

export class GatePortError extends Error {
  readonly service: string;
  readonly port: number;
  readonly host: string;

  constructor(service: string, port: number, host: string, cause: Error & { code?: string }) {
    const reason =
      cause.code === "EADDRINUSE"
        ? "is already in use; end the process that listens there or declare another port"
        : `cannot be opened: ${cause.message}`;
    super(`traffic gate: port ${port} on ${host} for "${service}" ${reason}`, { cause });
    this.name = "GatePortError";
    this.service = service;
    this.port = port;
    this.host = host;
  }
}

export interface Gate {
  /** Port of each service, of several the first; `__control` for the control listener. */
  readonly ports: Record<string, number>;
  /**
   * Changes to another configuration. A port of both serves without a break; if another port cannot be opened, nothing changes.
   * @throws GatePortError, GateConfigError, TlsFilesError
   */
  change(config: GateConfig): Promise<void>;
  /** Takes no new requests, ends streams, lets running requests finish. */
  close(): Promise<void>;
}

/** An open port. */
interface Listening {
  host: string;
  port: number;
  server: Server;
  served: Served;
  /** Null: it speaks HTTP. */
  tls: Tls | null;
}

interface Tls {
  files: TlsFiles;
  pair: TlsPair;
  /** Why the files were not taken when they were last read. */
  refused?: string;
}

/** What a port is for. */
type Wanted = Omit<Listening, "server" | "tls"> & { tls: TlsFiles | null };

/** Delay until a changed state reaches streams if no request arrives. Milliseconds. */
const LOOK_EVERY_MS = 100;
/** How often certificates and keys are read again. Milliseconds. */
const TLS_EVERY_MS = 1_000;

/**
 * Opens all listeners or none.
 * @param say what happens to certificates
 * @throws GatePortError, TlsFilesError
 */
export async function openGate(
  config: GateConfig,
  onChange: (state: GateState | null) => void = () => undefined,
  say: (line: string) => void = () => undefined,
): Promise<Gate> {
  const traffic = new Traffic(config.stateFile, onChange);
  traffic.state();
  const facts = { configuration: configurationId(config), changes: 0 };
  const open = (wanted: Wanted) => openListener(wanted, (served, pair) => createListener(traffic, served, () => facts, pair));
  let current = { config, listening: await openAll(config, [], open) };
  const change = async (next: GateConfig): Promise<void> => {
    if (next.stateFile !== config.stateFile) throw new GateConfigError(next.stateFile, `this gate uses the state file ${config.stateFile}`);
    const before = current.listening;
    current = { config: next, listening: await openAll(next, before, open) };
    facts.configuration = configurationId(next);
    const gone = before.filter((each) => !current.listening.includes(each));
    void closeAll(gone, next.shutdownGraceMs);
  };
  const looking = setInterval(() => traffic.state(), LOOK_EVERY_MS);
  const renewing = setInterval(() => renewAll(current.listening, say), TLS_EVERY_MS);
  return {
    get ports() {
      return Object.fromEntries([...current.listening].reverse().map(({ served, port }) => [served.service, port]));
    },
    change: (next) => change(next).finally(() => (facts.changes += 1)),
    async close() {
      clearInterval(looking);
      clearInterval(renewing);
      const closed = closeAll(current.listening, current.config.shutdownGraceMs);
      traffic.endStreams();
      await closed;
    },
  };
}

/** Open listeners of `before` that are still wanted, and new ones for the rest. None changes what it serves until all are open. */
async function openAll(config: GateConfig, before: Listening[], open: (wanted: Wanted) => Promise<Listening>): Promise<Listening[]> {
  const wanted = wantedBy(config);
  const listening: Listening[] = [];
  try {
    for (const each of wanted) {
      const kept = before.find(({ host, port, tls }) => host === each.host && port === each.port && (tls === null) === (each.tls === null));
      listening.push(kept !== undefined && !listening.includes(kept) ? kept : await open(each));
    }
  } catch (error) {
    listening.filter((each) => !before.includes(each)).forEach(({ server }) => server.close());
    throw error;
  }
  listening.forEach((each, index) => {
    const { served, tls } = wanted[index]!;
    Object.assign(each.served, served);
    if (tls !== null) each.tls!.files = tls;
  });
  return listening;
}

/** What cannot be used stays unused, and is said once. */
function renewAll(listening: readonly Listening[], say: (line: string) => void): void {
  for (const { server, served, tls } of listening) {
    if (tls === null) continue;
    try {
      const pair = renewTls(server as unknown as TlsServer, tls.files, tls.pair);
      if (pair !== tls.pair) say(`${served.service}: has the new certificate of ${tls.files.certificate}`);
      Object.assign(tls, { pair, refused: undefined });
    } catch (error) {
      const refused = (error as Error).message;
      if (refused !== tls.refused) say(`${served.service}: keeps its certificate: ${refused}`);
      tls.refused = refused;
    }
  }
}

function wantedBy(config: GateConfig): Wanted[] {
  const { host, controlPort } = config;
  const portNow = followUpstreams(config.stateFile);
  const wanted = config.listeners.map((listener) => {
    const exceptions = [...config.readOnlyAllow, ...listener.readOnlyAllow];
    const served = { service: listener.service, exceptions, destination: destinationOf(listener, portNow) };
    return { host: listener.host ?? host, port: listener.port, served, tls: listener.tls ?? null };
  });
  if (controlPort === undefined) return wanted;
  return [...wanted, { host, port: controlPort, served: { service: "__control", exceptions: [], destination: null }, tls: null }];
}

/** Takes no new requests; running ones may finish. */
async function closeAll(listening: Listening[], graceMs: number): Promise<void> {
  const servers = listening.map(({ server }) => server);
  const closed = servers.map((server) => new Promise((resolve) => server.close(resolve)));
  const idle = setInterval(() => servers.forEach((server) => server.closeIdleConnections()), 20);
  await Promise.race([Promise.all(closed), sleep(graceMs, undefined, { ref: false })]);
  clearInterval(idle);
  servers.forEach((server) => server.closeAllConnections());
}

function destinationOf(listener: GateListener, portNow: (service: string, configured: number) => number): Destination {
  const to = (service: string, configured: number): Destination => proxyTo(service, () => portNow(service, configured));
  if (listener.kind === "proxy") return to(listener.service, listener.upstreamPort);
  const site = serveFolder(listener.service, listener.root);
  return routed(
    site,
    listener.routes.map(({ prefix, service, upstreamPort }) => ({ prefix, destination: to(service, upstreamPort) })),
  );
}

async function openListener(
  { host, port, served, tls: files }: Wanted,
  create: (served: Served, pair: TlsPair | null) => Server,
): Promise<Listening> {
  const tls = files === null ? null : { files, pair: readTls(files) };
  const server = create(served, tls?.pair ?? null);
  return new Promise((resolve, reject) => {
    server.once("error", (error) => reject(new GatePortError(served.service, port, host, error)));
    server.listen({ port, host, exclusive: true }, () =>
      resolve({ host, port: (server.address() as AddressInfo).port, server, served, tls }),
    );
  });
}
