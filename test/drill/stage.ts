/** A small system to be witnessed: HTTP over a real PostgreSQL, with a gate, and the witness as the process it is. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import type { DatabaseAddress } from "../../drill/witness/content.ts";
import type { Script } from "../../drill/witness/script.ts";
import { ensureServer, removeServer } from "../../databases/postgres/server.ts";
import { freePort } from "../support/free-port.ts";

export const SECRET = "a secret of the stage";

export const SCRIPT: Script = {
  service: "backend",
  login: { method: "POST", path: "/login", body: { user: "witness", password: "in another file" }, tokenField: "session.token" },
  insert: { method: "POST", path: "/notes", body: { id: "{{id}}", body: "{{value}}" } },
  update: { method: "PUT", path: "/notes/{{id}}", body: { body: "{{value}}" } },
  delete: { method: "DELETE", path: "/notes/{{id}}" },
  table: "notes",
  key: "id",
  value: "body",
};

export interface Stage {
  folder: string;
  journalFile: string;
  address(database: string): DatabaseAddress;
  sql(database: string, text: string, values?: unknown[]): Promise<pg.QueryResult>;
  /** A new, empty database that the service uses. */
  openOn(database: string): Promise<void>;
  create(database: string): Promise<void>;
  /** 503 for everybody; no request is in the service any more when it resolves. */
  close(): Promise<void>;
  open(): void;
  /** So many of the next writes are done but never answered, so many of the next inserts answered without being done. */
  lie: { swallowAnswer: number; promiseOnly: number };
  /** Tokens given so far are not valid any more. */
  forgetTokens(): void;
  readonly logins: number;
  witness(settings?: { journalFile?: string } & Record<string, unknown>): Promise<Witness>;
  remove(): Promise<void>;
}

export interface Witness {
  process: ChildProcess;
  /** Resolves when the journal holds so many more acknowledgements than now. */
  acknowledges(more: number): Promise<void>;
  stop(signal?: NodeJS.Signals): Promise<number | null>;
}

const occurrences = (file: string, text: string): number => (existsSync(file) ? readFileSync(file, "utf8").split(text).length - 1 : 0);

export async function setStage(): Promise<Stage> {
  const folder = await mkdtemp(join(tmpdir(), "witness-stage-"));
  const home = join(folder, "server");
  const { passwordFile, port } = await ensureServer({ home, port: await freePort(), superuser: "stage" });
  const service = new Service((database) => ({ ...address(database), password: readFileSync(passwordFile, "utf8").split("\n")[0] ?? "" }));
  const address = (database: string): DatabaseAddress => ({ host: "127.0.0.1", port, user: "stage", database, passwordFile });
  const baseUrl = await service.listen();
  const running: Witness[] = [];

  const stage: Stage = {
    folder,
    journalFile: join(folder, "journal.jsonl"),
    address,
    sql: async (database, text, values = []) => {
      const client = new pg.Client({ ...service.connection(database) });
      await client.connect();
      try {
        return await client.query(text, values);
      } finally {
        await client.end();
      }
    },
    create: async (database) => {
      await stage.sql("postgres", `CREATE DATABASE ${pg.escapeIdentifier(database)}`);
      await stage.sql(database, "CREATE TABLE notes (id text PRIMARY KEY, body text NOT NULL)");
    },
    openOn: (database) => service.use(database),
    close: () => service.close(),
    open: () => void (service.closed = false),
    lie: service.lie,
    forgetTokens: () => service.tokens.clear(),
    get logins() {
      return service.logins;
    },
    witness: async (settings = {}) => {
      const loginBodyFile = join(folder, "login.json");
      await writeFile(loginBodyFile, JSON.stringify({ password: SECRET }), { mode: 0o600 });
      const configFile = join(folder, "witness.json");
      const config = {
        baseUrl,
        script: SCRIPT,
        loginBodyFile,
        journalFile: stage.journalFile,
        intervalMs: 2,
        readIntervalMs: 10,
        ...settings,
      };
      await writeFile(configFile, JSON.stringify(config));
      const witness = startWitness(configFile, config.journalFile);
      running.push(witness);
      return witness;
    },
    remove: async () => {
      for (const witness of running) await witness.stop("SIGKILL");
      await service.stop();
      await removeServer(home);
      await rm(folder, { recursive: true, force: true });
    },
  };
  return stage;
}

function startWitness(configFile: string, journalFile: string): Witness {
  const child = spawn(process.execPath, [join(import.meta.dirname, "../../drill/witness/main.ts"), configFile], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  const exited = once(child, "exit");
  return {
    process: child,
    acknowledges: async (more) => {
      const goal = occurrences(journalFile, '"type":"ack"') + more;
      while (occurrences(journalFile, '"type":"ack"') < goal) {
        if (child.exitCode !== null) throw new Error(`the witness ended with ${child.exitCode}`);
        await sleep(20);
      }
    },
    stop: async (signal = "SIGTERM") => {
      if (child.exitCode === null && child.signalCode === null) child.kill(signal);
      await exited;
      return child.exitCode;
    },
  };
}

class Service {
  closed = false;
  lie = { swallowAnswer: 0, promiseOnly: 0 };
  tokens = new Set<string>();
  logins = 0;
  readonly connection: (database: string) => pg.ClientConfig;
  #pool: pg.Pool | undefined;
  #inside = 0;
  readonly #server: Server;

  constructor(connection: (database: string) => pg.ClientConfig) {
    this.connection = connection;
    this.#server = createServer((request, response) => void this.#answer(request, response));
  }

  async listen(): Promise<string> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async use(database: string): Promise<void> {
    await this.#pool?.end();
    this.#pool = new pg.Pool({ ...this.connection(database), max: 4 });
    this.closed = false;
  }

  async close(): Promise<void> {
    this.closed = true;
    while (this.#inside > 0) await sleep(2);
    await this.#pool?.end();
    this.#pool = undefined;
  }

  async stop(): Promise<void> {
    await this.#pool?.end();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const end = (status: number, body: unknown = {}): void =>
      void response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
    let text = "";
    for await (const chunk of request) text += String(chunk);
    if (this.closed || this.#pool === undefined) return end(503, { message: "closed for a moment" });
    this.#inside += 1;
    try {
      const [, resource, id] = new URL(request.url ?? "/", "http://stage").pathname.split("/").map(decodeURIComponent);
      const body = (text === "" ? {} : JSON.parse(text)) as Record<string, string>;
      if (resource === "login") return body.password === SECRET ? end(200, { session: { token: this.#token() } }) : end(401);
      if (!this.tokens.has(request.headers.authorization?.slice("Bearer ".length) ?? "")) return end(401);
      if (request.method === "POST" && this.lie.promiseOnly > 0) {
        this.lie.promiseOnly -= 1;
        return end(200);
      }
      const rows = await this.#write(request.method ?? "", id ?? body.id ?? "", body.body ?? "");
      if (request.method !== "GET" && this.lie.swallowAnswer > 0) {
        this.lie.swallowAnswer -= 1;
        return void response.destroy();
      }
      end(rows === 0 ? 404 : 200);
    } catch {
      end(500);
    } finally {
      this.#inside -= 1;
    }
  }

  #token(): string {
    this.logins += 1;
    const token = `token-${this.logins}`;
    this.tokens.add(token);
    return token;
  }

  async #write(method: string, id: string, body: string): Promise<number> {
    const statements: Record<string, [string, string[]]> = {
      GET: ["SELECT 1 FROM notes WHERE id = $1", [id]],
      POST: ["INSERT INTO notes (id, body) VALUES ($1, $2)", [id, body]],
      PUT: ["UPDATE notes SET body = $2 WHERE id = $1", [id, body]],
      DELETE: ["DELETE FROM notes WHERE id = $1", [id]],
    };
    const [sql, values] = statements[method] ?? ["SELECT 1", []];
    return (await this.#pool?.query(sql, values))?.rowCount ?? 0;
  }
}
