/** Hands admitted requests and WebSockets to a service on 127.0.0.1. */
import { ServerResponse, type IncomingMessage } from "node:http";
import { Socket } from "node:net";
import { createProxyServer } from "httpxy";
import { jsonAnswer, send, sendRaw } from "./answers.ts";
import type { Destination } from "./listener.ts";

export function proxyTo(service: string, upstreamPort: number): Destination {
  // A connection of its own for every request: one that is kept may be given up by the service just when a request goes out on it, and
  // nobody could tell whether that request was carried out.
  const proxy = createProxyServer({ target: `http://127.0.0.1:${upstreamPort}`, agent: false, xfwd: true });
  const unavailable = jsonAnswer(502, { error: "unavailable", message: `${service} does not answer` });

  proxy.on("error", (_error, request, response) => {
    if (response instanceof Socket) return sendRaw(response, unavailable);
    if (!(response instanceof ServerResponse) || request === undefined || response.destroyed) return;
    // The status is out already: cutting the connection is the only way left to say that the answer is not whole.
    if (response.headersSent) return void response.destroy();
    send(request, response, unavailable);
  });
  // Whether the connection to the user is kept is between the user and the gate.
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
    handle: (request: IncomingMessage, response: ServerResponse) => {
      dropConnectionHeaders(request);
      settle(proxy.web(request, response));
    },
    upgrade: (request, socket, head) => settle(proxy.ws(request, socket, {}, head)),
  };
}

/** These are between the user and the gate. Handed on, an offered upgrade would be accepted by a service with nobody to carry it. */
function dropConnectionHeaders({ headers }: IncomingMessage): void {
  const closes = /(^|,)\s*close\s*(,|$)/i.test(headers.connection ?? "");
  for (const name of ["connection", "upgrade", "http2-settings", "keep-alive"]) delete headers[name];
  if (closes) headers.connection = "close";
}
