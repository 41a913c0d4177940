/** Forwards admitted requests and WebSockets to a service on 127.0.0.1. */
import type { IncomingMessage, ServerResponse as Response } from "node:http";
import { Socket } from "node:net";
import { createProxyServer } from "httpxy";
import { jsonAnswer, send, sendRaw } from "./answers.ts";
import type { Destination } from "./listener.ts";

// An import of `node:http` would load all of fetch and WebSocket with it.
const { ServerResponse } = process.getBuiltinModule("node:http");

/** @param upstreamPort asked for each request: the service may have started anew meanwhile */
export function proxyTo(service: string, upstreamPort: () => number): Destination {
  // A new connection for every request: the service may close a kept one just when a request is sent on it, and then it is unknown whether
  // the request was executed.
  const proxy = createProxyServer({ agent: false, xfwd: true });
  const target = () => ({ target: `http://127.0.0.1:${upstreamPort()}` });
  const unavailable = jsonAnswer(502, { error: "unavailable", message: `${service} does not answer` });

  proxy.on("error", (_error, request, response) => {
    if (response instanceof Socket) return sendRaw(response, unavailable);
    if (!(response instanceof ServerResponse) || request === undefined || response.destroyed) return;
    // The status is sent already: only a closed connection can show that the answer is incomplete.
    if (response.headersSent) return void response.destroy();
    send(request, response, unavailable);
  });
  // Keep-alive of the user's connection is between user and gate.
  proxy.on("proxyRes", (upstream) => {
    delete upstream.headers.connection;
    delete upstream.headers["keep-alive"];
  });
  proxy.on("proxyReqWs", (outgoing, _request, socket) => {
    socket.once("close", () => outgoing.destroy());
    outgoing.once("upgrade", (_response, upstream: Socket) => {
      socket.once("close", () => upstream.destroy());
      upstream.once("close", () => socket.destroy());
    });
  });

  const settle = (work: Promise<void>) => void work.catch(() => undefined);
  return {
    handle: (request: IncomingMessage, response: Response) => {
      dropConnectionHeaders(request);
      appendClient(request);
      settle(proxy.web(request, response, target()));
    },
    upgrade: (request, socket, head) => {
      appendClient(request);
      settle(proxy.ws(request, socket, target(), head));
    },
  };
}

/** The last address is the one the gate saw itself: whatever a client writes stands before it. */
function appendClient({ headers, socket }: IncomingMessage): void {
  const told = headers["x-forwarded-for"];
  if (told !== undefined) headers["x-forwarded-for"] = `${String(told)}, ${socket.remoteAddress ?? "unknown"}`;
}

/** Hop-by-hop headers between user and gate. A forwarded upgrade offer could be accepted by a service, and the gate would not handle it. */
function dropConnectionHeaders({ headers }: IncomingMessage): void {
  const closes = /(^|,)\s*close\s*(,|$)/i.test(headers.connection ?? "");
  for (const name of ["connection", "upgrade", "http2-settings", "keep-alive"]) delete headers[name];
  if (closes) headers.connection = "close";
}
