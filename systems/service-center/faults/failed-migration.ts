import type { FaultDefinition } from "../../../config/system/drill.ts";
import { DATABASE, PHASE_2_TABLES } from "../database.ts";

/** Too long for a work order of Phase 2, and nothing Phase 1 minded. */
const LENGTH = 240;

export const failedMigration: FaultDefinition = {
  title: "A migration of Phase 2 fails half-way, on a row nobody expected",
  scope: "partial-migration",
  beforeDeploy: async (context) => {
    const database = await context.database(DATABASE);
    await database.query("INSERT INTO service_tickets (tenant_id, subject) VALUES ('north', repeat('long ', $1))", [LENGTH / 5]);
  },
  switchOn: async () => Promise.resolve(),
  probe: async (context) => {
    const { rows } = await (
      await context.database(DATABASE)
    ).query<{ name: string }>("SELECT name FROM unnest($1::text[]) AS name WHERE to_regclass('public.' || name) IS NOT NULL", [
      PHASE_2_TABLES,
    ]);
    const there = rows.map(({ name }) => name);
    return there.length > 0 && there.length < PHASE_2_TABLES.length ? `of the tables of Phase 2 only ${there.join(", ")} exists` : null;
  },
};
