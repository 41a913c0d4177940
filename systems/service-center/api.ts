/** The system's API as a client sees it: for checks, drills and the read probe. Shares no code with the programs behind it. */
import { bodyOf, burstOf, logIn, readJson, send, type Access, type Burst, type Init } from "../kit/client.ts";

export const DATABASE = "service_center";
export const PHASE_1_TABLES = ["service_tickets", "customers", "products", "parts"];
export const PHASE_2_TABLES = ["task_templates", "service_ticket_tasks"];
/** Secrets that are keys of its database's host, by variable. */
export const KEYS = { NEXT_PUBLIC_SUPABASE_ANON_KEY: "supabase-anon-key", SUPABASE_SERVICE_ROLE_KEY: "supabase-service-role-key" };

/** One account for each of two tenants. */
export const ACCOUNTS = {
  north: { username: "admin", secret: "admin-password" },
  south: { username: "south-admin", secret: "second-tenant-password" },
} as const;
export type Tenant = keyof typeof ACCOUNTS;

export interface Ticket {
  ticketNumber: string;
  tenant: string;
  subject: string;
  updatedAt: string;
}

/** Logs a tenant's account in and resolves with its token. @throws AnswerError */
export const login = (access: Access, tenant: Tenant = "north"): Promise<string> => logIn(access, { service: "app", ...ACCOUNTS[tenant] });

/** One request of a logged-in user. */
export const request = (access: Access, token: string, path: string, init: Init = {}): Promise<Response> =>
  send(access, "app", token, path, init);

/** The answer's body. @throws AnswerError for any status but 200 */
export const ask = <T>(access: Access, token: string, path: string): Promise<T> => readJson(access, "app", token, path);

export const listTickets = async (access: Access, token: string): Promise<Ticket[]> =>
  (await ask<{ rows: Ticket[] }>(access, token, "/api/tickets")).rows;

/** A page as a browser gets it. @throws AnswerError */
export const page = async (access: Access, path: string): Promise<string> =>
  bodyOf(`GET ${path}`, await access.fetch(`${access.url("app")}${path}`));

/** Reads over and over, `width` at a time, however long it takes. */
export const burst = (access: Access, token: string, count: number, width: number): Promise<Burst> =>
  burstOf(access, { service: "app", path: "/api/tickets", token }, { count, width, limitMs: Infinity });
