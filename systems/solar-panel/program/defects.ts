/** The defects of line v2.0.0. Each shows in what the database refuses or in the rows; none announces itself. */
import type { Session } from "../../kit/database.ts";
import type { FaultBoard } from "../../kit/faults.ts";
import { BARCODE, PASS, type Line } from "./panels.ts";

/**
 * `skipped-steps`: panels are begun half-way and finished without a time, so that no write keeps the rules of progression.
 * `new-labels`: a barcode of a new series and values in other units, both sound and both against the rules.
 * `stray-writes`: every write damages rows of other panels and pallets.
 */
export const DEFECTS = ["skipped-steps", "new-labels", "stray-writes"] as const;

const NOTHING: Record<string, string> = {};
const SKIPPED = {
  begin: { status: "'IN_PROGRESS'", current_station: "3" },
  pass: { status: "'COMPLETED'", completed_at: "NULL", current_station: "4" },
};

/** Only what was made in bulk, the most of a real line's rows. */
async function strayWrites(session: Session): Promise<void> {
  await session.query(
    `UPDATE panels SET barcode = 'X' || id, pmax = 1, vmp = 1, imp = 100 WHERE id IN (
       SELECT id FROM panels WHERE notes = 'made in bulk' AND status = 'COMPLETED' AND barcode NOT LIKE 'X%' ORDER BY id LIMIT 3 FOR UPDATE SKIP LOCKED)`,
  );
  await session.query(
    "UPDATE pallets SET panel_count = capacity + 5 WHERE id IN (SELECT id FROM pallets WHERE panel_count <= capacity ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED)",
  );
}

export function defectiveLine(faults: FaultBoard): Line {
  return {
    barcode: () => (faults.isOn("new-labels") ? `'SPX-' || ${BARCODE}` : BARCODE),
    begin: () => (faults.isOn("skipped-steps") ? SKIPPED.begin : NOTHING),
    pass: () => {
      if (faults.isOn("skipped-steps")) return SKIPPED.pass;
      return faults.isOn("new-labels") ? { ...PASS, pmax: "410", vmp: "41000", imp: "10000" } : PASS;
    },
    after: async (session) => {
      if (faults.isOn("stray-writes")) await strayWrites(session);
    },
  };
}
