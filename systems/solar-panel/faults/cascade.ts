import type { FaultDefinition } from "../../../config/system/drill.ts";
import { DATABASE } from "../database.ts";
import { switchLine, tryPanel } from "./switch.ts";

/** Dropped by hand under pressure, without a record. */
const DROPPED = [
  ["panels", "barcode_format"],
  ["panels", "electrical_data"],
  ["pallets", "pallet_capacity"],
] as const;

/** Scenario 2. */
export const cascade: FaultDefinition = {
  title: "Constraints are dropped by hand, and damage spreads across tables",
  scope: "restore",
  switchOn: async (context) => {
    const database = await context.database(DATABASE);
    for (const [table, name] of DROPPED) await database.query(`ALTER TABLE ${table} DROP CONSTRAINT IF EXISTS ${name}`);
    await switchLine(context, "stray-writes");
    // The damage comes with writes; one is made here in case nobody else writes just now.
    await tryPanel(context);
  },
  probe: async (context) => {
    const database = await context.database(DATABASE);
    const { rows } = await database.query<{ line: string }>(
      "SELECT violation_count || ' in ' || table_name || ' (' || highest_severity || ')' AS line FROM constraint_violation_summary",
    );
    return rows.length < 2 ? null : `violations: ${rows.map(({ line }) => line).join(", ")}`;
  },
};
