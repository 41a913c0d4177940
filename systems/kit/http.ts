/** A small HTTP server with routes: `GET /api/records/:id`. */
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { describeError, type Log } from "./log.ts";

// An import of `node:http` would load all of fetch and WebSocket with it.
const { createServer } = process.getBuiltinModule("node:http");

const BODY_LIMIT_BYTES = 1024 * 1024;

export interface Call {
  method: string;
  path: string;
  /** Values of the path's `:names`. */
  params: Record<string, string>;
  query: URLSearchParams;
  header(name: string): string | undefined;
  /** The parsed JSON body; an empty object if there is none. */
  body: Record<string, unknown>;
  /** The raw body; only for routes that take any body. */
  raw: Buffer;
}

export interface Reply {
  /** 200 unless given. */
  status?: number;
  json?: unknown;
  text?: string;
  /** Content type of `text`. */
  type?: string;
}

export interface Route {
  method: string;
  path: string;
  /** Takes a body of any kind (a form, a file) up to this size, and leaves it unparsed. */
  rawLimitBytes?: number;
  handle(call: Call): Promise<Reply> | Reply;
}

/** An error answer; its message is sent to the caller. */
export class HttpError extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.name = "HttpError";
    this.status = status;
  }
}

export interface Traffic {
  requests: number;
  /** Answers with a status of 500 or more. */
  errors: number;
}

export interface HttpOptions {
  routes: Route[];
  log: Log;
  /** Called before the route; a reply from it answers the request. */
  intercept?: (call: Call) => Promise<Reply | null>;
}

export interface HttpServer {
  server: Server;
  traffic: Traffic;
  /** Takes no new requests and resolves when running ones are answered. */
  drain(): Promise<void>;
}

export function createHttpServer(options: HttpOptions): HttpServer {
  const traffic: Traffic = { requests: 0, errors: 0 };
  let draining = false;
  const server = createServer((request, response) => {
    traffic.requests += 1;
    if (draining) response.setHeader("connection", "close");
    void answer(options, request).then((reply) => {
      if ((reply.status ?? 200) >= 500) traffic.errors += 1;
      if (draining) response.setHeader("connection", "close");
      send(response, reply);
    });
  });
  const drain = (): Promise<void> =>
    new Promise((resolve) => {
      draining = true;
      server.close(() => resolve());
      server.closeIdleConnections();
    });
  return { server, traffic, drain };
}

/** Listens on `HOST` (127.0.0.1 unless given; in a container all its addresses) and resolves with the port. */
export function listen(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, process.env["HOST"] ?? "127.0.0.1", () => {
      const address = server.address();
      resolve(typeof address === "object" && address !== null ? address.port : port);
    });
  });
}

async function answer(options: HttpOptions, request: IncomingMessage): Promise<Reply> {
  const url = new URL(request.url ?? "/", "http://localhost");
  const method = request.method ?? "GET";
  try {
    const found = findRoute(options.routes, method === "HEAD" ? "GET" : method, url.pathname);
    const limitBytes = found?.route.rawLimitBytes;
    const raw = await readRaw(request, limitBytes ?? BODY_LIMIT_BYTES);
    const call: Call = {
      method,
      path: url.pathname,
      params: found?.params ?? {},
      query: url.searchParams,
      header: (name) => request.headers[name.toLowerCase()]?.toString(),
      body: limitBytes === undefined ? parseBody(raw) : {},
      raw,
    };
    const instead = await options.intercept?.(call);
    if (instead) return instead;
    if (found === null) throw new HttpError(404, `no ${method} ${url.pathname} here`);
    return await found.route.handle(call);
  } catch (error) {
    if (error instanceof HttpError) return { status: error.status, json: { error: error.message } };
    options.log.error("request failed", { method, path: url.pathname, ...describeError(error) });
    return { status: 500, json: { error: "internal error" } };
  }
}

function findRoute(routes: Route[], method: string, path: string): { route: Route; params: Record<string, string> } | null {
  for (const route of routes) {
    const params = route.method === method ? matchPath(route.path, path) : null;
    if (params !== null) return { route, params };
  }
  return null;
}

function matchPath(pattern: string, path: string): Record<string, string> | null {
  const [wanted, given] = [pattern.split("/"), path.split("/")];
  if (wanted.length !== given.length) return null;
  const params: Record<string, string> = {};
  for (const [index, step] of wanted.entries()) {
    const value = given[index] ?? "";
    if (step.startsWith(":") && value !== "") params[step.slice(1)] = decodeURIComponent(value);
    else if (step !== value) return null;
  }
  return params;
}

async function readRaw(request: IncomingMessage, limitBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of request) {
    sizeBytes += (chunk as Buffer).length;
    if (sizeBytes > limitBytes) throw new HttpError(413, `the body may have ${limitBytes} bytes`);
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks);
}

function parseBody(raw: Buffer): Record<string, unknown> {
  if (raw.length === 0) return {};
  try {
    const parsed: unknown = JSON.parse(raw.toString("utf8"));
    if (typeof parsed === "object" && parsed !== null && !Array.isArray(parsed)) return parsed as Record<string, unknown>;
  } catch {
    // Reported below, like any other body that is not an object.
  }
  throw new HttpError(400, "the body must be a JSON object");
}

function send(response: ServerResponse, reply: Reply): void {
  const content = reply.text ?? `${JSON.stringify(reply.json ?? {})}\n`;
  const type = reply.text === undefined ? "application/json" : (reply.type ?? "text/plain; charset=utf-8");
  response.writeHead(reply.status ?? 200, {
    "content-type": type,
    "content-length": Buffer.byteLength(content),
    "cache-control": "no-store",
  });
  response.end(content);
}
