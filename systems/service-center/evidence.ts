/** Evidence before a rollback changes anything: the error log, and the rows of tables that only the newer release has, as CSV. */
import type { EvidenceDefinition } from "../../config/system/evidence.ts";
import { errorLogCapture, tableCapture } from "../kit/captures.ts";
import { DATABASE, PHASE_2_TABLES } from "./api.ts";

export const evidence: EvidenceDefinition = {
  anchor: "phase-2-rollback-{stamp}",
  captures: [
    errorLogCapture("app", "app_errors_{stamp}.log", "error log of the newer application"),
    ...PHASE_2_TABLES.map((table) => tableCapture(DATABASE, table)),
  ],
};
