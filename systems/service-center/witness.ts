/** How the witness of a drill writes to this system. */
import type { WitnessScript } from "../../config/system/drill.ts";

export const witness: WitnessScript = {
  service: "app",
  login: {
    method: "POST",
    path: "/api/auth/login",
    body: { username: "admin", password: "{{secret:admin-password}}" },
    tokenField: "token",
  },
  insert: { method: "POST", path: "/api/tickets", body: { ticketNumber: "{{id}}", subject: "{{value}}" } },
  update: { method: "PUT", path: "/api/tickets/{{id}}", body: { subject: "{{value}}" } },
  delete: { method: "DELETE", path: "/api/tickets/{{id}}" },
  table: "service_tickets",
  key: "ticket_number",
  value: "subject",
};
