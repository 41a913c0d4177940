import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { FaultDefinition } from "../../definition.ts";
import { login, ORGANIZATION, request } from "../api.ts";
import { accessOf, FaultNotSwitchedError } from "./switch.ts";

export const pemsAuthentication: FaultDefinition = {
  title: "The PEMS API refuses the worker's token",
  scope: "worker",
  switchOn: async (context) => {
    try {
      writeFileSync(join(context.folder, "pems-control.json"), JSON.stringify({ failAuth: true }));
    } catch (error) {
      throw new FaultNotSwitchedError("pems-authentication", error);
    }
    // Something has to be pushed for the refusal to show.
    const access = accessOf(context);
    const body = { organizationId: ORGANIZATION, pfaId: `DRILL-${Date.now()}`, category: "Equipment", description: "made by a drill" };
    await (await request(access, await login(access), "/api/pfa-data", { method: "POST", body })).text();
  },
  probe: async (context) => {
    // Rows that were refused stay refused; without a worker nobody asks PEMS any more.
    if (!context.runs("worker")) return null;
    const database = await context.database("pfa");
    const known = await database.query<{ known: boolean }>("SELECT to_regclass('pfa_write_queue') IS NOT NULL AS known");
    if (known.rows[0]?.known !== true) return null;
    const { rows } = await database.query<{ refused: number }>(
      "SELECT count(*)::int AS refused FROM pfa_write_queue WHERE last_error LIKE '%answered 401' AND status <> 'pushed'",
    );
    const refused = rows[0]?.refused ?? 0;
    return refused > 0 ? `PEMS refused the token for ${refused} rows` : null;
  },
};
