/** The traffic gate: one listener per public component, one state for all. */
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { GateConfig, GateListener } from "./config.ts";
import { createListener } from "./listener.ts";
import type { Destination } from "./listener.ts";
import { proxyTo } from "./proxy.ts";
import { routed } from "./routes.ts";
import { serveFolder } from "./static.ts";
import type { GateState } from "./state.ts";
import { Traffic } from "./traffic.ts";

export class GatePortError extends Error {
  readonly component: string;
  readonly port: number;
  readonly host: string;

  constructor(component: string, port: number, host: string, cause: Error & { code?: string }) {
    const reason =
      cause.code === "EADDRINUSE"
        ? "is already in use; end what listens there or declare another port"
        : `cannot be opened: ${cause.message}`;
    super(`traffic gate: port ${port} on ${host} for "${component}" ${reason}`, { cause });
    this.name = "GatePortError";
    this.component = component;
    this.port = port;
    this.host = host;
  }
}

export interface Gate {
  /** Port each component is reached at; `__control` for the control listener. */
  ports: Record<string, number>;
  /** Takes no new requests, ends streams, lets requests under way finish. */
  close(): Promise<void>;
}

/** How soon a changed state reaches streams while no request comes in. Milliseconds. */
const LOOK_EVERY_MS = 100;

/**
 * Opens all listeners or none.
 * @throws GatePortError
 */
export async function openGate(config: GateConfig, onChange: (state: GateState | null) => void = () => undefined): Promise<Gate> {
  const traffic = new Traffic(config.stateFile, onChange);
  traffic.state();
  const servers: Server[] = [];
  const ports: Record<string, number> = {};
  const open = async (component: string, port: number, server: Server) => {
    ports[component] = await listen(server, component, port, config.host);
    servers.push(server);
  };
  try {
    for (const listener of config.listeners) {
      const exceptions = [...config.readOnlyAllow, ...listener.readOnlyAllow];
      await open(listener.component, listener.port, createListener(traffic, listener.component, exceptions, destinationOf(listener)));
    }
    if (config.controlPort !== undefined) await open("__control", config.controlPort, createListener(traffic, "__control", [], null));
  } catch (error) {
    servers.forEach((server) => server.close());
    throw error;
  }
  const looking = setInterval(() => traffic.state(), LOOK_EVERY_MS);
  return {
    ports,
    async close() {
      clearInterval(looking);
      const closed = servers.map((server) => new Promise((resolve) => server.close(resolve)));
      traffic.endStreams();
      const idle = setInterval(() => servers.forEach((server) => server.closeIdleConnections()), 20);
      await Promise.race([Promise.all(closed), sleep(config.shutdownGraceMs, undefined, { ref: false })]);
      clearInterval(idle);
      servers.forEach((server) => server.closeAllConnections());
    },
  };
}

function destinationOf(listener: GateListener): Destination {
  if (listener.kind === "proxy") return proxyTo(listener.component, listener.upstreamPort);
  const site = serveFolder(listener.component, listener.root);
  return routed(
    site,
    listener.routes.map(({ prefix, component, upstreamPort }) => ({ prefix, destination: proxyTo(component, upstreamPort) })),
  );
}

function listen(server: Server, component: string, port: number, host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", (error) => reject(new GatePortError(component, port, host, error)));
    server.listen({ port, host, exclusive: true }, () => resolve((server.address() as AddressInfo).port));
  });
}
