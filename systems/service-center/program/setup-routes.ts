/** How the program was set up: health with the database, and the settings whose names say that they are part of the set-up. */
import { createHash } from "node:crypto";
import type { Database } from "../../kit/database.ts";
import type { Route } from "../../kit/http.ts";
import { callerOf } from "./tenants.ts";

const SETUP = /SUPABASE|SETUP|PHASE2/;
/** Shown by their hash alone. */
const SECRET = /KEY|SECRET|PASSWORD/;

export function setupRoutes(release: string, database: Database, jwtSecret: string): Route[] {
  return [
    {
      method: "GET",
      path: "/api/health",
      handle: async () => {
        try {
          await database.read("SELECT 1");
          return { json: { status: "healthy", version: release } };
        } catch {
          return { status: 503, json: { status: "unhealthy", version: release } };
        }
      },
    },
    {
      method: "GET",
      path: "/api/setup",
      handle: async (call) => {
        callerOf(call, jwtSecret);
        const connected = await database.read<{ database: string; role: string }>(
          "SELECT current_database() AS database, current_user AS role",
        );
        return { json: { variables: variables(), ...connected[0] } };
      },
    },
  ];
}

function variables(): Record<string, string> {
  const shown: Record<string, string> = {};
  for (const [name, value] of Object.entries(process.env))
    if (SETUP.test(name) && value !== undefined) shown[name] = SECRET.test(name) ? hash(value) : value;
  return shown;
}

function hash(value: string): string {
  return `sha256:${createHash("sha256").update(value).digest("hex")}`;
}
