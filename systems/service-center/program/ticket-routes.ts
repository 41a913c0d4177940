/** `/api/tickets`, `/api/tickets/:number` and what the dashboard shows. */
import type { Database, Session } from "../../kit/database.ts";
import type { Call, Reply, Route } from "../../kit/http.ts";
import { asCaller, callerOf, type Caller } from "./tenants.ts";
import * as tickets from "./tickets.ts";

const PATH = "/api/tickets";

export interface TicketOptions {
  database: Database;
  jwtSecret: string;
  /** State a new ticket begins with; null for the releases that know none. */
  workflow: string | null;
  /** Runs once the write is committed, before it is acknowledged. */
  afterWrite?: (caller: Caller) => Promise<void>;
}

export function ticketRoutes({ database, jwtSecret, workflow, afterWrite }: TicketOptions): Route[] {
  const read = (call: Call, work: (session: Session) => Promise<unknown>): Promise<Reply> =>
    asCaller(database, callerOf(call, jwtSecret), work).then((json) => ({ json }));
  const write = async (call: Call, work: (session: Session, caller: Caller) => Promise<unknown>): Promise<Reply> => {
    const caller = callerOf(call, jwtSecret);
    const json = await asCaller(database, caller, (session) => work(session, caller));
    await afterWrite?.(caller);
    return { json };
  };
  const number = (call: Call): string => call.params["number"] ?? "";
  return [
    {
      method: "GET",
      path: PATH,
      handle: (call) =>
        read(call, async (session) => {
          const rows = await tickets.listTickets(session);
          return { rows, count: rows.length };
        }),
    },
    { method: "GET", path: `${PATH}/:number`, handle: (call) => read(call, (session) => tickets.findTicket(session, number(call))) },
    {
      method: "POST",
      path: PATH,
      handle: (call) => write(call, (session, caller) => tickets.insertTicket(session, caller, call, workflow)),
    },
    {
      method: "PUT",
      path: `${PATH}/:number`,
      handle: (call) => write(call, (session) => tickets.updateTicket(session, number(call), tickets.readFields(call))),
    },
    {
      method: "DELETE",
      path: `${PATH}/:number`,
      handle: (call) =>
        write(call, async (session) => {
          await tickets.deleteTicket(session, number(call));
          return { deleted: number(call) };
        }),
    },
    {
      method: "GET",
      path: "/api/dashboard",
      handle: (call) =>
        read(call, async (session) => ({
          tickets: (await session.query("SELECT status, tickets::float8 AS tickets FROM ticket_counts ORDER BY status")).rows,
        })),
    },
  ];
}
