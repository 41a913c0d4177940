import type { FaultDefinition } from "../../../config/system/drill.ts";
import { API, PERSONNEL_PATH, login } from "../api.ts";
import { DATABASE } from "../database.ts";
import { accessOf } from "../../kit/fault-switch.ts";
import { switchOn } from "./switch.ts";

export const dataCorruption: FaultDefinition = {
  title: "Every write multiplies doses of other people by a thousand",
  scope: "emergency",
  switchOn: async (context) => {
    await switchOn(context, API, "data-corruption");
    // The damage comes with writes; this makes one in case no other client writes now.
    const access = accessOf(context);
    const headers = { "content-type": "application/json", authorization: `Bearer ${await login(access)}` };
    const body = JSON.stringify({ employeeNumber: `DRILL-${Date.now()}`, fullName: "made by a drill" });
    await (await access.fetch(`${access.url(API)}${PERSONNEL_PATH}`, { method: "POST", headers, body })).text();
  },
  probe: async (context) => {
    const { rows } = await (
      await context.database(DATABASE)
    ).query<{ damaged: number }>("SELECT count(*)::int AS damaged FROM dose_readings WHERE dose_msv <> raw_usv / 1000.0");
    const damaged = rows[0]?.damaged ?? 0;
    return damaged > 0 ? `${damaged} readings with a dose that differs from the device's` : null;
  },
};
