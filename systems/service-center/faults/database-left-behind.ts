import type { FaultDefinition } from "../../../config/system/drill.ts";
import { DATABASE, PHASE_2_TABLES } from "../database.ts";

export const databaseLeftBehind: FaultDefinition = {
  title: "The application was rolled back, the database was not",
  scope: "full",
  after: "application",
  switchOn: async () => Promise.resolve(),
  probe: async (context) => {
    const { release } = await context.observe("app");
    if (release !== "phase-1") return null;
    const { rows } = await (
      await context.database(DATABASE)
    ).query<{ there: boolean }>("SELECT to_regclass($1) IS NOT NULL AS there", [`public.${PHASE_2_TABLES[0]!}`]);
    return rows[0]?.there === true ? `phase-1 runs on a database that has ${PHASE_2_TABLES[0]!}` : null;
  },
};
