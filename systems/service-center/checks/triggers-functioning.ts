import { DATABASE } from "../database.ts";
import { check, failed, onPhase1, passed } from "./outcome.ts";

const SUBJECT = "written by a verification, rolled back by it";

/** Writes inside a transaction that is rolled back: shows what the triggers do, and leaves nothing. */
export const triggersFunctioning = check(
  "triggers-functioning",
  "Triggers work: a number is given, the time of a change is kept",
  async (context) => {
    const database = await context.database(DATABASE);
    await database.query("BEGIN");
    try {
      const workflow = onPhase1(context) ? { column: "", value: "" } : { column: ", workflow_state", value: ", 'received'" };
      const { rows: made } = await database.query<{ number: string }>(
        `INSERT INTO service_tickets (tenant_id, subject, updated_at${workflow.column}) VALUES ('north', $1, timestamptz '2000-01-01'${workflow.value})
         RETURNING ticket_number AS number`,
        [SUBJECT],
      );
      const number = made[0]!.number;
      if (!/^SC-\d{6,}$/.test(number)) return failed(`a new ticket was given the number ${number}`);
      const { rows: changed } = await database.query<{ moved: boolean }>(
        "UPDATE service_tickets SET status = 'closed' WHERE ticket_number = $1 RETURNING updated_at > timestamptz '2000-01-01' AS moved",
        [number],
      );
      if (changed[0]?.moved !== true) return failed("a change does not move updated_at");
      if (onPhase1(context)) return passed(`${number} was given, updated_at moved; rolled back`);
      const { rows: tasks } = await database.query<{ rows: number }>(
        `SELECT count(*)::float8 AS rows FROM service_ticket_tasks k JOIN service_tickets t ON t.id = k.ticket_id WHERE t.ticket_number = $1`,
        [number],
      );
      return tasks[0]!.rows > 0
        ? passed(`${number} was given, updated_at moved, ${tasks[0]!.rows} tasks made; rolled back`)
        : failed("no task was made from the templates");
    } finally {
      await database.query("ROLLBACK");
    }
  },
  true,
);
