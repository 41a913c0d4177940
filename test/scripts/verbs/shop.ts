/** A system of one service, whose build can be made to fail on this machine: read by path, as somebody else's system is. */
import type { EnvironmentContext, SystemDefinition } from "../../../config/system/definition.ts";
import type { CheckContext } from "../../../config/system/check.ts";

export const definition = {
  name: "shop",
  title: "Shop",
  folder: import.meta.dirname,
  services: {
    api: {
      kind: "service",
      title: "API",
      entry: "main.ts",
      databases: [],
      health: { path: "/health", body: '"ok"', timeoutMs: 10_000 },
      stopGraceMs: 2_000,
      environment: ({ port, config }: EnvironmentContext) => ({ PORT: String(port), BROKEN: config["BROKEN"] ?? "" }),
    },
  },
  stopOrder: ["api"],
  databases: { shop: { engine: "sqlite", ledger: "backout", migrations: [], tables: [], principalTable: "" } },
  listeners: { api: { service: "api" } },
  effects: [],
  scopes: {
    application: {
      title: "Application",
      useWhen: "The release fails",
      budgetSeconds: 60,
      phaseBudgets: {},
      pins: { release: "to" },
      checks: ["answers"],
    },
  },
  defaultScope: "application",
  checks: [
    {
      id: "answers",
      title: "The API answers through the gate",
      run: async (context: CheckContext) => {
        const { status } = await context.fetch(`${context.url("api")}/health`);
        return { status: status === 200 ? "passed" : "failed", detail: `HTTP ${status}` };
      },
    },
  ],
  maintenanceMessage: "Closed",
  retryAfterSeconds: 1,
} as unknown as SystemDefinition;

/** Ends at once where the file `BROKEN` names is there. */
export const PROGRAM = `import { existsSync } from "node:fs";
import { createServer } from "node:http";
if (existsSync(process.env.BROKEN)) { console.error("this machine cannot run it"); process.exit(1); }
createServer((_, answer) => answer.end('{"status":"ok"}')).listen(Number(process.env.PORT), "127.0.0.1");
`;
