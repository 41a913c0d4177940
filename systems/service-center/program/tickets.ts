/** Service tickets as the API shows them, and the statements that read and write them. */
import type { Session } from "../../kit/database.ts";
import { HttpError, type Call } from "../../kit/http.ts";
import type { Caller } from "./tenants.ts";

export interface Ticket {
  id: number;
  ticketNumber: string;
  tenant: string;
  customerId: number | null;
  subject: string;
  status: string;
  updatedAt: string;
}

const COLUMNS = `id::float8 AS id, ticket_number AS "ticketNumber", tenant_id AS tenant, customer_id::float8 AS "customerId", subject, status,
  to_json(updated_at) #>> '{}' AS "updatedAt"`;
const LIST_LIMIT = 50;
const STATUSES = ["open", "in progress", "closed"];

export interface TicketFields {
  subject?: string;
  status?: string;
}

/** @throws HttpError 400 */
export function readFields({ body }: Call): TicketFields {
  const { subject, status } = body;
  const fields: TicketFields = {};
  if (subject !== undefined) {
    if (typeof subject !== "string" || subject === "") throw new HttpError(400, "subject must be text");
    fields.subject = subject;
  }
  if (status !== undefined) {
    if (typeof status !== "string" || !STATUSES.includes(status)) throw new HttpError(400, `status must be one of ${STATUSES.join(", ")}`);
    fields.status = status;
  }
  return fields;
}

export async function listTickets(session: Session): Promise<Ticket[]> {
  return (await session.query<Ticket>(`SELECT ${COLUMNS} FROM service_tickets ORDER BY id DESC LIMIT ${LIST_LIMIT}`)).rows;
}

/** @throws HttpError 404 */
export async function findTicket(session: Session, number: string): Promise<Ticket> {
  const { rows } = await session.query<Ticket>(`SELECT ${COLUMNS} FROM service_tickets WHERE ticket_number = $1`, [number]);
  if (rows[0] === undefined) throw new HttpError(404, `no ticket ${number}`);
  return rows[0];
}

/**
 * Makes a ticket; without a number of its own it is given one by the database.
 * @param workflow the column of Phase 2, which a release of Phase 1 does not know.
 * @throws HttpError 400, 409
 */
export async function insertTicket(session: Session, caller: Caller, call: Call, workflow: string | null): Promise<Ticket> {
  const { subject } = readFields(call);
  if (subject === undefined) throw new HttpError(400, "subject must be given");
  const number = call.body["ticketNumber"];
  if (number !== undefined && (typeof number !== "string" || number === "")) throw new HttpError(400, "ticketNumber must be text");
  const values = [number ?? null, caller.tenant, subject, caller.user, ...(workflow === null ? [] : [workflow])];
  const { rows } = await session.query<Ticket>(
    `INSERT INTO service_tickets (ticket_number, tenant_id, subject, created_by, customer_id${workflow === null ? "" : ", workflow_state"})
     VALUES ($1, $2, $3, $4, (SELECT min(id) FROM customers)${workflow === null ? "" : ", $5"})
     ON CONFLICT (ticket_number) DO NOTHING RETURNING ${COLUMNS}`,
    values,
  );
  if (rows[0] === undefined) throw new HttpError(409, `${String(number)} exists already`);
  return rows[0];
}

/** @throws HttpError 404 */
export async function updateTicket(session: Session, number: string, fields: TicketFields): Promise<Ticket> {
  const { rows } = await session.query<Ticket>(
    `UPDATE service_tickets SET subject = coalesce($2, subject), status = coalesce($3, status) WHERE ticket_number = $1 RETURNING ${COLUMNS}`,
    [number, fields.subject ?? null, fields.status ?? null],
  );
  if (rows[0] === undefined) throw new HttpError(404, `no ticket ${number}`);
  return rows[0];
}

/** @throws HttpError 404 */
export async function deleteTicket(session: Session, number: string): Promise<void> {
  const { rowCount } = await session.query("DELETE FROM service_tickets WHERE ticket_number = $1", [number]);
  if (rowCount === 0) throw new HttpError(404, `no ticket ${number}`);
}
