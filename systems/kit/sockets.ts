/** WebSockets of a program: all connected clients get the same messages. */
import type { IncomingMessage, Server } from "node:http";
import type { Duplex } from "node:stream";
import { WebSocketServer, type WebSocket } from "ws";
import { describeError, type Log } from "./log.ts";

/** Close code "service restart": the client should reconnect. */
const RESTARTING = 1012;

export interface Sockets {
  attach: (server: Server) => void;
  /** Sends to all connected clients; returns their number. */
  broadcast: (message: object) => number;
  connected: () => number;
  /** Tells all clients to reconnect later. */
  close: () => void;
}

export interface SocketOptions {
  /** Path of the upgrade; every other path is refused. */
  path: string;
  log: Log;
  /** First message to a client. */
  greeting: () => object;
  /** Called before a client is let in; a reason refuses it. */
  refuse?: () => string | null;
}

export function createSockets({ path, log, greeting, refuse = () => null }: SocketOptions): Sockets {
  const server = new WebSocketServer({ noServer: true });
  server.on("connection", (socket: WebSocket) => {
    socket.on("error", (error) => log.warn("a client was lost", describeError(error)));
    socket.send(JSON.stringify(greeting()));
  });
  const take = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    const asked = new URL(request.url ?? "/", "http://localhost").pathname;
    const reason = asked === path ? refuse() : "not found";
    if (reason === null) return server.handleUpgrade(request, socket, head, (client) => void server.emit("connection", client, request));
    if (asked === path) log.error("a client was refused", { reason });
    socket.end(
      `HTTP/1.1 ${asked === path ? "500 Internal Server Error" : "404 Not Found"}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`,
    );
  };
  return {
    attach: (http) => void http.on("upgrade", take),
    broadcast: (message) => {
      const text = JSON.stringify(message);
      const open = [...server.clients].filter((client) => client.readyState === client.OPEN);
      for (const client of open) client.send(text);
      return open.length;
    },
    connected: () => server.clients.size,
    close: () => server.clients.forEach((client) => client.close(RESTARTING, "restarting")),
  };
}
