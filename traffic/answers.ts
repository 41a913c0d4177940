/** Answers of the gate itself, without the system behind it. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { UNKNOWN_STATE_MESSAGE, type Decision } from "./decide.ts";
import type { GateState } from "./state.ts";

// An import of `node:http` would load all of fetch and WebSocket with it.
const { STATUS_CODES } = process.getBuiltinModule("node:http");

type Refusal = Extract<Decision, { action: "refuse" }>;

export interface Answer {
  status: number;
  headers: Record<string, string>;
  body: string;
}

/** 503 with the message: a page for browsers, JSON for other clients. */
export function refusalAnswer(refusal: Refusal, accept: string | undefined): Answer {
  const html = prefersHtml(accept);
  const body = html
    ? page(refusal.message)
    : JSON.stringify({ error: "maintenance", message: refusal.message, retryAfterSeconds: refusal.retryAfterSeconds });
  return {
    status: 503,
    headers: {
      "content-type": html ? "text/html; charset=utf-8" : "application/json; charset=utf-8",
      "retry-after": String(refusal.retryAfterSeconds),
      "cache-control": "no-store",
      vary: "accept",
    },
    body,
  };
}

export function jsonAnswer(status: number, value: unknown): Answer {
  return {
    status,
    headers: { "content-type": "application/json; charset=utf-8", "cache-control": "no-store" },
    body: JSON.stringify(value),
  };
}

/** For the banner in the system's own pages: the state that users see, caused by the gate or by declared maintenance. */
export function maintenanceBanner(state: GateState | null): { mode: "off" | "read-only" | "full"; message: string; epoch: number | null } {
  if (state === null) return { mode: "full", message: UNKNOWN_STATE_MESSAGE, epoch: null };
  if (state.mode === "closed") return { mode: "full", message: state.message, epoch: state.epoch };
  if (state.mode === "read-only") return { mode: "read-only", message: state.message, epoch: state.epoch };
  return { ...state.maintenance, epoch: state.epoch };
}

export function send(request: IncomingMessage, response: ServerResponse, answer: Answer): void {
  // With an unread body the operating system would reset the connection and lose the answer, so it stays open.
  const hasBody = request.headers["content-length"] !== undefined || request.headers["transfer-encoding"] !== undefined;
  request.resume();
  const headers: Record<string, string> = { ...answer.headers, "content-length": String(Buffer.byteLength(answer.body)) };
  if (answer.status >= 500 && (!hasBody || request.complete)) headers.connection = "close";
  response.writeHead(answer.status, headers);
  response.end(request.method === "HEAD" ? undefined : answer.body);
}

/** For a WebSocket upgrade request: its connection is a raw socket. */
export function sendRaw(socket: Duplex, answer: Answer): void {
  if (socket.destroyed) return;
  const headers = { ...answer.headers, "content-length": String(Buffer.byteLength(answer.body)), connection: "close" };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${answer.status} ${STATUS_CODES[answer.status] ?? ""}\r\n${lines.join("")}\r\n${answer.body}`);
}

/** A browser accepts HTML by name; programs accept anything, or JSON. */
function prefersHtml(accept: string | undefined): boolean {
  if (accept === undefined) return false;
  const position = (type: string) => accept.toLowerCase().indexOf(type);
  const html = position("text/html");
  const json = position("application/json");
  return html >= 0 && (json < 0 || html < json);
}

function page(message: string): string {
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>Maintenance</title>
<style>body{font:18px/1.5 system-ui,sans-serif;max-width:34em;margin:20vh auto;padding:0 1em}</style></head>
<body><h1>Maintenance</h1><p>${escapeHtml(message)}</p></body>
</html>
`;
}

function escapeHtml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}
