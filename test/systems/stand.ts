/** PFA Vanguard on a real server: databases at either schema, programs of either release as processes, the site behind a small listener. */
import { spawn, type ChildProcess } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type pg from "pg";
import { connect } from "../../databases/postgres/connection.ts";
import { applyMigration } from "../../databases/postgres/migrations.ts";
import { type Migration } from "../../databases/shared/migrations/script.ts";
import { ensureDatabase, ensureRole, grantServices } from "../../databases/postgres/roles.ts";
import { definition as pfaVanguard } from "../../systems/pfa-vanguard/definition.ts";
import { startServer, type TestServer } from "../databases/postgres/embedded.ts";

export const SECRETS: Record<string, string> = { "test-user-password": "open sesame", jwt: "jwt secret", "pems-token": "pems token" };
export const MIGRATIONS: Migration[] = pfaVanguard.databases["pfa"]!.migrations.map(({ name, path }) => ({
  name,
  folder: join(pfaVanguard.folder, path),
}));
export const secret = (name: string): string => SECRETS[name] ?? `no secret ${name}`;

export interface TestDatabase {
  name: string;
  admin: pg.Client;
  /** For the services' own role. */
  url: string;
}

export interface Program {
  url: string;
  pid: number;
  release: string;
  running(): boolean;
  errorLines(): string[];
  outLines(): string[];
  /** SIGTERM; resolves with the exit code. */
  stop(): Promise<number | null>;
  exited: Promise<number | null>;
}

export interface Stand {
  server: TestServer;
  folder: string;
  makeDatabase(name: string, release: string): Promise<TestDatabase>;
  start(service: string, release: string, database: TestDatabase, config?: Record<string, string>): Promise<Program>;
  startStandIn(): Promise<Program>;
  /** Serves a folder as the gate does. */
  site(folder: string): Promise<Site>;
  remove(): Promise<void>;
}

export interface Site {
  url: string;
  /** Both can be changed while it is served. */
  folder: string;
  maintenance: { mode: string; message: string };
  gateMode: string;
}

export async function makeStand(): Promise<Stand> {
  const server = await startServer();
  const folder = await mkdtemp(join(tmpdir(), "backout-systems-"));
  const closing: (() => Promise<unknown>)[] = [];
  await ensureRole(server.admin, { name: "owner", password: "owner", login: false });
  await ensureRole(server.admin, { name: "services", password: "services", login: true });
  const run = async (file: string, release: string, environment: Record<string, string>): Promise<Program> => {
    const program = await startProgram(file, release, environment);
    closing.push(() => program.stop());
    return program;
  };
  return {
    server,
    folder,
    makeDatabase: async (name, release) => {
      await ensureDatabase(server.admin, { name, owner: "owner" });
      const admin = await connect(server.endpoint, name);
      closing.push(() => admin.end());
      await grantServices(admin, { database: name, role: "services", owner: "owner" });
      for (const migration of migrationsOf(release)) await applyMigration(admin, migration, { owner: "owner" });
      return { name, admin, url: `postgresql://services:services@127.0.0.1:${server.port}/${name}` };
    },
    start: (service, release, database, config = {}) => {
      const definition = pfaVanguard.services[service]!;
      const environment = definition.environment!({ port: 0, release, config, secret, databaseUrl: () => database.url });
      return run(join(pfaVanguard.folder, "releases", release, service, definition.entry!), release, environment);
    },
    startStandIn: () => {
      const { entry, environment } = pfaVanguard.drill.standIns["pems"]!;
      return run(join(pfaVanguard.folder, entry), "1", { PORT: "0", FOLDER: folder, ...environment!({ port: 0, folder, secret }) });
    },
    site: async (published) => {
      const { site, close } = await serveSite(published);
      closing.push(close);
      return site;
    },
    remove: async () => {
      for (const close of closing.reverse()) await close();
      await server.remove();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

export function migrationsOf(release: string): Migration[] {
  return release === "v3.0.0" ? MIGRATIONS.slice(0, 2) : MIGRATIONS;
}

export async function startProgram(file: string, release: string, environment: Record<string, string>): Promise<Program> {
  const child = spawn(process.execPath, [file], { env: { PATH: process.env["PATH"], ...environment }, stdio: ["ignore", "pipe", "pipe"] });
  const [out, err] = [collect(child.stdout), collect(child.stderr)];
  let code: number | null = null;
  let ended = false;
  const exited = new Promise<number | null>((resolve) =>
    child.once("close", (exitCode) => {
      ended = true;
      code = exitCode;
      resolve(exitCode);
    }),
  );
  const port = await listening(child, out, err);
  return {
    url: `http://127.0.0.1:${port}`,
    pid: child.pid!,
    release,
    running: () => !ended,
    errorLines: () => err.join("").split("\n").filter(Boolean),
    outLines: () => out.join("").split("\n").filter(Boolean),
    exited,
    stop: async () => {
      if (ended) return code;
      child.kill("SIGTERM");
      return exited;
    },
  };
}

function collect(stream: NodeJS.ReadableStream): string[] {
  const chunks: string[] = [];
  stream.on("data", (chunk: Buffer) => chunks.push(chunk.toString("utf8")));
  return chunks;
}

async function listening(child: ChildProcess, out: string[], err: string[]): Promise<number> {
  for (;;) {
    const port = /"message":"listening","port":(\d+)/.exec(out.join(""))?.[1];
    if (port !== undefined) return Number(port);
    if (child.exitCode !== null) throw new Error(`the program ended with ${child.exitCode}: ${err.join("")}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

async function serveSite(folder: string): Promise<{ site: Site; close: () => Promise<void> }> {
  const site: Site = { url: "", folder, maintenance: { mode: "off", message: "" }, gateMode: "open" };
  const server = createServer((request, response) => {
    const path = request.url ?? "/";
    response.setHeader("connection", "close");
    if (path === "/__backout/maintenance") return response.end(JSON.stringify(site.maintenance));
    if (path === "/__backout/gate") return response.end(JSON.stringify({ mode: site.gateMode }));
    try {
      response.end(readFileSync(join(site.folder, path === "/" ? "index.html" : path.slice(1))));
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  site.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { site, close: () => new Promise((resolve) => void server.close(() => resolve())) };
}

/** Waits for what comes by itself; the test's own time limit is the only one. */
export async function until<T>(look: () => Promise<T | null | false> | T | null | false): Promise<T> {
  for (;;) {
    const seen = await look();
    if (seen !== null && seen !== false) return seen;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

export async function logIn(backend: Program): Promise<string> {
  const response = await fetch(`${backend.url}/api/auth/login`, {
    method: "POST",
    body: JSON.stringify({ username: "test-user", password: secret("test-user-password") }),
  });
  return ((await response.json()) as { token: string }).token;
}

export function api(backend: Program, token: string) {
  return async (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) => {
    const response = await fetch(`${backend.url}${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return {
      status: response.status,
      text,
      type: response.headers.get("content-type"),
      json: () => JSON.parse(text) as Record<string, unknown>,
    };
  };
}

export async function countOf(database: TestDatabase, table: string, where = "true"): Promise<number> {
  const { rows } = await database.admin.query<{ rows: number }>(`SELECT count(*)::int AS rows FROM ${table} WHERE ${where}`);
  return rows[0]!.rows;
}
