import type { FaultDefinition } from "../../../config/system/drill.ts";
import { login, ORGANIZATION, request } from "../api.ts";
import { accessOf } from "../../kit/fault-switch.ts";
import { switchBackend } from "./switch.ts";

export const corruptingWrites: FaultDefinition = {
  title: "Every write silently damages other rows",
  scope: "restore",
  switchOn: async (context) => {
    await switchBackend(context, "corrupting-writes");
    // The damage comes with writes; this makes one in case no other client writes now.
    const access = accessOf(context);
    const token = await login(access);
    const pfaId = `DRILL-${Date.now()}`;
    const body = { organizationId: ORGANIZATION, pfaId, category: "Equipment", description: "made by a drill" };
    await (await request(access, token, "/api/pfa-data", { method: "POST", body })).text();
  },
  probe: async (context) => {
    const database = await context.database("pfa");
    const { rows } = await database.query<{ damaged: number }>(
      "SELECT count(*)::int AS damaged FROM pfa_records WHERE total_cost <> monthly_rate * duration_months",
    );
    const damaged = rows[0]?.damaged ?? 0;
    return damaged > 0 ? `${damaged} records whose total is not rate times months` : null;
  },
};
