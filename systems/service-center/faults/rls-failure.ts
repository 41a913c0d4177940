import type { FaultDefinition } from "../../../config/system/drill.ts";
import { listTickets, login } from "../api.ts";
import { DATABASE } from "../database.ts";
import { accessOf } from "../../kit/fault-switch.ts";

export const rlsFailure: FaultDefinition = {
  title: "A policy lets every tenant read the tickets of all",
  scope: "full",
  // As a repair made in haste would: a second policy widens the first, nothing fails and no test of one tenant sees it.
  switchOn: async (context) => {
    const database = await context.database(DATABASE);
    await database.query("CREATE POLICY service_tickets_support ON service_tickets FOR SELECT USING (true)");
  },
  probe: async (context) => {
    const access = accessOf(context);
    const foreign = (await listTickets(access, await login(access, "south"))).filter(({ tenant }) => tenant !== "south");
    return foreign.length > 0 ? `tenant south reads ${foreign.length} tickets of other tenants` : null;
  },
};
