/** What a drill breaks: the manual's four scenarios. */
import type { DrillContext, FaultDefinition } from "../../config/system/drill.ts";
import { asUser, inTurn, switchOf } from "../kit/fault-switch.ts";
import { DATABASE, login, newPanel, request } from "./api.ts";

const switchOn = switchOf({ service: "line", release: "v2.0.0" });

/** Begins a panel, passes it on and takes it off again. Resolves with the refusal; null: all of it was accepted. */
const tryPanel = asUser(login, async (access, token): Promise<string | null> => {
  const serial = `DRILL-${Date.now()}`;
  const refusal = async (method: string, path: string, body?: unknown): Promise<string | null> => {
    const response = await request(access, token, method, path, body);
    const text = await response.text();
    return response.status === 200 ? null : `${method} ${path} answers ${response.status}: ${text}`;
  };
  const begun = await refusal("POST", "/api/panels", newPanel(serial, "tried by a drill"));
  if (begun !== null) return begun;
  const path = `/api/panels/${serial}`;
  return refusal("PUT", path, { notes: "passed on by a drill" }).finally(() => refusal("DELETE", path));
});

/** The function behind `panel_type_line` repeats all its look-ups for every row. */
const SLOW = `
CREATE OR REPLACE FUNCTION panel_type_fits_line(panel_type text, line text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  known text[];
BEGIN
  SELECT array_agg(md5(n::text)) INTO known FROM generate_series(1, 60000) n;
  RETURN CASE line WHEN 'LINE_1' THEN panel_type IN ('36', '40', '60', '72') WHEN 'LINE_2' THEN panel_type = '144' ELSE cardinality(known) = 0 END;
END
$$`;

/** Dropped by hand under pressure, without a record. */
const DROPPED = `ALTER TABLE panels DROP CONSTRAINT IF EXISTS barcode_format, DROP CONSTRAINT IF EXISTS electrical_data;
  ALTER TABLE pallets DROP CONSTRAINT IF EXISTS pallet_capacity`;

const query = (sql: string) => async (context: DrillContext) => (await context.database(DATABASE)).query<{ line: string }>(sql);

const lines = async (context: DrillContext, sql: string): Promise<string[]> => (await query(sql)(context)).rows.map(({ line }) => line);

export const FAULTS: Record<string, FaultDefinition> = {
  "total-failure": {
    title: "Every write of the line violates the progression rules, and the line stops",
    scope: "critical",
    switchOn: switchOn("skipped-steps"),
    probe: tryPanel,
  },
  cascade: {
    title: "Constraints are dropped by hand, and damage spreads across tables",
    scope: "restore",
    // The damage comes with writes; one is made here in case nobody else writes just now.
    switchOn: inTurn(query(DROPPED), switchOn("stray-writes"), tryPanel),
    probe: async (context) => {
      const seen = await lines(
        context,
        "SELECT violation_count || ' in ' || table_name || ' (' || highest_severity || ')' AS line FROM constraint_violation_summary",
      );
      return seen.length < 2 ? null : `violations: ${seen.join(", ")}`;
    },
  },
  performance: {
    title: "The rule of panel type and line takes longer than everything else",
    scope: "medium",
    switchOn: inTurn(query(SLOW)),
    probe: async (context) => {
      const slow = await lines(
        context,
        `SELECT constraint_name || ': ' || average_ms || ' ms a row, ' || performance_impact AS line FROM constraint_performance_summary
         WHERE performance_impact = '🔴 HIGH IMPACT'`,
      );
      return slow.length === 0 ? null : slow.join("; ");
    },
  },
  integrity: {
    title: "Barcodes of a new series and values in other units are refused although they are valid",
    scope: "high",
    switchOn: switchOn("new-labels"),
    probe: tryPanel,
  },
};
