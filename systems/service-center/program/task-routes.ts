/** What Phase 2 adds: the caller's tasks and the templates they are made from. */
import type { Database } from "../../kit/database.ts";
import type { Call, Reply, Route } from "../../kit/http.ts";
import { asCaller, callerOf } from "./tenants.ts";

export function taskRoutes(database: Database, jwtSecret: string): Route[] {
  const list = (call: Call, sql: string, values: unknown[]): Promise<Reply> =>
    asCaller(database, callerOf(call, jwtSecret), async (session) => ({ json: { rows: (await session.query(sql, values)).rows } }));
  return [
    {
      method: "GET",
      path: "/api/tasks",
      handle: (call) =>
        list(
          call,
          `SELECT k.id::float8 AS id, t.ticket_number AS "ticketNumber", k.title, k.status FROM service_ticket_tasks k
           JOIN service_tickets t ON t.id = k.ticket_id WHERE k.assigned_to = $1 ORDER BY k.id DESC LIMIT 50`,
          [callerOf(call, jwtSecret).user],
        ),
    },
    {
      method: "GET",
      path: "/api/templates",
      handle: (call) => list(call, "SELECT id::float8 AS id, name, domain FROM task_templates ORDER BY position, id", []),
    },
  ];
}
