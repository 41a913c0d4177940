import type { FaultDefinition } from "../../../config/system/drill.ts";
import { DATABASE } from "../database.ts";

/** Scenario 3: the function behind `panel_type_line` repeats all its look-ups for every row. */
const SLOW = `
CREATE OR REPLACE FUNCTION panel_type_fits_line(panel_type text, line text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  known text[];
BEGIN
  SELECT array_agg(md5(n::text)) INTO known FROM generate_series(1, 60000) n;
  RETURN CASE line WHEN 'LINE_1' THEN panel_type IN ('36', '40', '60', '72') WHEN 'LINE_2' THEN panel_type = '144' ELSE cardinality(known) = 0 END;
END
$$`;

export const performanceFault: FaultDefinition = {
  title: "The rule of panel type and line takes longer than everything else",
  scope: "medium",
  switchOn: async (context) => void (await (await context.database(DATABASE)).query(SLOW)),
  probe: async (context) => {
    const database = await context.database(DATABASE);
    const { rows } = await database.query<{ line: string }>(
      `SELECT constraint_name || ': ' || average_ms || ' ms a row, ' || performance_impact AS line FROM constraint_performance_summary
       WHERE performance_impact = '🔴 HIGH IMPACT'`,
    );
    return rows.length === 0 ? null : rows.map(({ line }) => line).join("; ");
  },
};
