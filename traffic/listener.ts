/** One public listener: lets the gate decide on every request, and forwards those that pass. */
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { Socket } from "node:net";
import { jsonAnswer, maintenanceBanner, refusalAnswer, send, sendRaw } from "./answers.ts";
import type { ReadOnlyException } from "./decide.ts";
import { PASS_HEADER } from "./state.ts";
import type { TlsPair } from "./tls.ts";
import type { Traffic } from "./traffic.ts";

// An import of `node:http` would load all of fetch and WebSocket with it.
const { createServer } = process.getBuiltinModule("node:http");

/** Where admitted requests go. */
export interface Destination {
  handle(request: IncomingMessage, response: ServerResponse): void;
  upgrade?(request: IncomingMessage, socket: Socket, head: Buffer): void;
}

/** How a listener handles requests; another configuration replaces the values while the port stays open. */
export interface Served {
  service: string;
  exceptions: ReadOnlyException[];
  /** Null for a listener that only answers `/__backout/…`. */
  destination: Destination | null;
}

/** Of the whole gate, for its report. */
export interface GateFacts {
  /** Id of its configuration. */
  configuration: string;
  /** How often it was asked to take another one, whether it succeeded or not. */
  changes: number;
}

const OWN_PREFIX = "/__backout/";

/** @param tls it speaks HTTPS with this pair; null: HTTP */
export function createListener(traffic: Traffic, served: Served, factsOfGate: () => GateFacts, tls: TlsPair | null = null): Server {
  // Other upgrades (h2c, which some clients offer with every request) are handled as ordinary requests.
  const shouldUpgradeCallback = (request: IncomingMessage) => request.headers.upgrade?.toLowerCase() === "websocket";
  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    const { service, exceptions, destination } = served;
    const path = pathOf(request);
    if (destination === null || path.startsWith(OWN_PREFIX)) return answerOwn(traffic, factsOfGate(), path, request, response);
    const facts = { method: request.method ?? "", path, upgrade: false, pass: takePass(request) };
    const decision = traffic.decide(facts, exceptions);
    if (decision.action === "refuse") return send(request, response, refusalAnswer(decision, request.headers.accept));
    const done = decision.verified ? () => undefined : traffic.begin(service);
    response.once("close", done);
    followEventStream(response, () => {
      done();
      return traffic.follow({ service, request: facts, exceptions, end: () => response.destroy() });
    });
    destination.handle(request, response);
  };
  const server =
    tls === null ? createServer({ shouldUpgradeCallback }, answer) : createTlsServer({ shouldUpgradeCallback, ...tls }, answer);
  server.on("upgrade", (request: IncomingMessage, socket: Socket, head: Buffer) => {
    const { service, exceptions, destination } = served;
    socket.on("error", () => socket.destroy());
    const facts = { method: request.method ?? "", path: pathOf(request), upgrade: true, pass: takePass(request) };
    const decision = traffic.decide(facts, exceptions);
    if (decision.action === "refuse") return sendRaw(socket, refusalAnswer(decision, request.headers.accept));
    if (destination?.upgrade === undefined) return sendRaw(socket, jsonAnswer(404, { error: "not found" }));
    socket.once("close", traffic.follow({ service, request: facts, exceptions, end: () => socket.destroy() }));
    destination.upgrade(request, socket, head);
  });
  return server;
}

/** An event stream never finishes by itself: from its header on it is handled like a WebSocket. */
function followEventStream(response: ServerResponse, follow: () => () => void): void {
  const writeHead = response.writeHead.bind(response);
  response.writeHead = ((...parameters: Parameters<typeof writeHead>) => {
    const result = writeHead(...parameters);
    if (String(response.getHeader("content-type") ?? "").startsWith("text/event-stream")) response.once("close", follow());
    return result;
  }) as typeof response.writeHead;
}

function answerOwn(traffic: Traffic, gate: GateFacts, path: string, request: IncomingMessage, response: ServerResponse): void {
  const state = traffic.state();
  const reads = request.method === "GET" || request.method === "HEAD";
  if (reads && path === `${OWN_PREFIX}maintenance`) return send(request, response, jsonAnswer(200, maintenanceBanner(state)));
  if (reads && path === `${OWN_PREFIX}gate`) {
    const own = { mode: state?.mode ?? "closed", epoch: state?.epoch ?? null, stateReadable: state !== null, pid: process.pid };
    return send(request, response, jsonAnswer(200, { ...own, ...traffic.counts(), ...gate }));
  }
  send(request, response, jsonAnswer(404, { error: "not found" }));
}

/** Removes the pass: services behind the gate never see it. */
function takePass(request: IncomingMessage): string | undefined {
  const value = request.headers[PASS_HEADER];
  delete request.headers[PASS_HEADER];
  return typeof value === "string" ? value : undefined;
}

function pathOf(request: IncomingMessage): string {
  return (request.url ?? "/").split("?", 1)[0] ?? "/";
}
