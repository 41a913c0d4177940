/** A small shop in a SQLite file, whose releases bear names that nothing can be told from. */
import type { EnvironmentContext, SystemDefinition } from "../../../config/system/definition.ts";
import type { CheckContext } from "../../../config/system/check.ts";

const CHECKS = ["answers", "thorough"];
const scope = (pins: SystemDefinition["scopes"][string]["pins"]) => ({
  title: "",
  useWhen: "",
  budgetSeconds: 60,
  phaseBudgets: {},
  checks: ["answers"],
  pins,
});

export const definition = {
  name: "shop",
  title: "Shop",
  folder: import.meta.dirname,
  services: {
    app: {
      kind: "service",
      title: "Shop",
      entry: "main.ts",
      databases: ["production"],
      health: { path: "/health", body: "ok", timeoutMs: 20_000 },
      stopGraceMs: 2_000,
      environment: ({ port, config, release }: EnvironmentContext) => ({ PORT: String(port), SAYS: JSON.stringify({ release, config }) }),
    },
  },
  stopOrder: ["app"],
  databases: {
    production: {
      engine: "sqlite",
      ledger: "backout",
      migrations: ["1_orders", "2_notes", "3_marks"].map((name) => ({ name, path: `migrations/${name}` })),
      tables: ["orders"],
      principalTable: "orders",
    },
  },
  listeners: { app: { service: "app" } },
  secrets: {},
  effects: [],
  scopes: {
    full: scope({ release: "to", data: "snapshot", schema: "keep" }),
    code: scope({ release: "to", data: "current", schema: "keep" }),
    marked: scope({ release: "to", data: "current", schema: "mark" }),
    settings: scope({ services: { app: { config: "ledger", restart: true } }, data: "current", schema: "keep" }),
    service: scope({ service: { restart: true }, data: "current", schema: "keep" }),
  },
  defaultScope: "code",
  checks: CHECKS.map((id) => ({
    id,
    title: "The shop answers through the gate",
    run: async (context: CheckContext) => {
      const { status } = await context.fetch(`${context.url("app")}/health`);
      return { status: status === 200 ? "passed" : "failed", detail: `HTTP ${status}` };
    },
  })),
  maintenanceMessage: "Closed",
  retryAfterSeconds: 1,
  settleSeconds: 0,
} as unknown as SystemDefinition;

/** Answers with its release and its settings. */
export const PROGRAM = `import { createServer } from "node:http";
createServer((request, answer) => answer.end(request.url === "/health" ? "ok" : process.env.SAYS)).listen(Number(process.env.PORT), "127.0.0.1");
`;
