/** A small system in three languages: a Python API on a SQLite file, a shell worker that is built, and a static site. Its schema is the shop's. */
import { join } from "node:path";
import type { CheckContext } from "../../../config/system/check.ts";
import type { SystemDefinition } from "../../../config/system/definition.ts";

const scope = (pins: SystemDefinition["scopes"][string]["pins"]) => ({
  title: "",
  useWhen: "",
  budgetSeconds: 600,
  phaseBudgets: {},
  checks: ["answers"],
  pins,
});

export const definition = {
  name: "mixed",
  title: "Mixed shop",
  folder: join(import.meta.dirname, "..", "order-shop"),
  services: {
    api: {
      kind: "service",
      title: "API in Python",
      command: ["python3", "app.py"],
      cwd: "src",
      databases: ["production"],
      health: { path: "/healthz", timeoutMs: 60_000 },
      stopGraceMs: 10_000,
    },
    jobs: {
      kind: "worker",
      title: "Worker in shell",
      command: ["bin/worker"],
      build: ["sh", "build.sh"],
      databases: [],
      health: { command: ["grep", "-q", "beat", "beats"], timeoutMs: 60_000 },
      stopGraceMs: 10_000,
    },
    site: { kind: "static", title: "Site", databases: [], stopGraceMs: 0 },
  },
  stopOrder: ["jobs", "api"],
  databases: {
    production: {
      engine: "sqlite",
      ledger: "backout",
      migrations: ["1_orders", "2_notes", "3_marks"].map((name) => ({ name, path: `migrations/${name}` })),
      tables: ["orders"],
      principalTable: "orders",
    },
  },
  listeners: { api: { service: "api" }, site: { service: "site" } },
  secrets: {},
  effects: [],
  scopes: {
    full: scope({ release: "to", data: "snapshot", schema: "keep" }),
    code: scope({ release: "to", data: "current", schema: "keep" }),
  },
  defaultScope: "full",
  checks: [
    {
      id: "answers",
      title: "The API and the site answer through the gate",
      run: async (context: CheckContext) => {
        const statuses = await Promise.all(
          [`${context.url("api")}/orders`, `${context.url("site")}/`].map(async (url) => (await context.fetch(url)).status),
        );
        return { status: statuses.every((status) => status === 200) ? "passed" : "failed", detail: `HTTP ${statuses.join(", ")}` };
      },
    },
  ],
  maintenanceMessage: "Closed",
  retryAfterSeconds: 1,
  settleSeconds: 0,
} as unknown as SystemDefinition;

/** Sells by POST, lists by GET, from a module of its own: Python writes what it compiled beside it. */
export const APP = `import json, os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from shop import orders, sell

class Shop(BaseHTTPRequestHandler):
    def answer(self, value):
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if self.path == "/healthz":
            return self.answer("ok")
        self.answer({"release": os.environ["BACKOUT_RELEASE"], "orders": orders()})

    def do_POST(self):
        length = int(self.headers.get("content-length") or 0)
        self.answer(sell(self.rfile.read(length).decode()))

    def log_message(self, *arguments):
        pass

ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Shop).serve_forever()
`;

export const SHOP = `import os, sqlite3

def orders():
    with sqlite3.connect(os.environ["DATABASE_URL"], timeout=20) as database:
        return [row[0] for row in database.execute("SELECT what FROM orders ORDER BY id")]

def sell(what):
    with sqlite3.connect(os.environ["DATABASE_URL"], timeout=20) as database:
        database.execute("INSERT INTO orders (what) VALUES (?)", (what,))
    return what
`;

/** @param told file that gets a line for every build */
export function buildScript(told: string): string {
  return `set -e
echo "assembling the worker"
mkdir -p bin
cat source.sh > bin/worker
chmod +x bin/worker
echo "$(cat version)" >> ${told}
`;
}

/** A parent with a child, as a wrapper is. */
export const WORKER = `#!/bin/sh
trap 'kill $child; exit 0' TERM
sh -c 'while :; do echo beat >> beats; sleep 0.2; done' &
child=$!
echo "working as $BACKOUT_RELEASE"
wait
`;
