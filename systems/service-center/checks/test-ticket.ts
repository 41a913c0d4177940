/** The ticket that a check writes, and its removal with everything it caused. */
import type { Client } from "pg";

export const TEST_TICKET = { ticketNumber: "VERIFY-000001", subject: "written by a verification, removed by it" } as const;

/**
 * Removes the test ticket, also what an interrupted verification left behind; its tasks go with it. A ticket of that number that somebody
 * else wrote stays.
 */
export async function removeTestTicket(database: Client): Promise<void> {
  await database.query("DELETE FROM service_tickets WHERE ticket_number = $1 AND subject LIKE $2 || '%'", [
    TEST_TICKET.ticketNumber,
    TEST_TICKET.subject,
  ]);
}
