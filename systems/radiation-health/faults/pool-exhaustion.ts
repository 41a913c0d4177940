import type { FaultDefinition } from "../../../config/system/drill.ts";
import { API, burst, vitals } from "../api.ts";
import { ERROR_SHARE_LIMIT } from "../checks/error-rate.ts";
import { accessOf } from "../../kit/fault-switch.ts";
import { switchOn } from "./switch.ts";

export const poolExhaustion: FaultDefinition = {
  title: "Database sessions are never released: the pool runs out, and more than 5 % of requests fail",
  scope: "application",
  switchOn: (context) => switchOn(context, API, "pool-exhaustion"),
  probe: async (context) => {
    const access = accessOf(context);
    const { requests, errors } = await burst(access, 80, 8);
    if (errors / requests <= ERROR_SHARE_LIMIT) return null;
    const { max, total, idle } = (await vitals(access, API)).sessions;
    return total - idle >= max - 1
      ? `${errors} of ${requests} requests failed: above 5 %; ${total - idle} of ${max} sessions are taken`
      : null;
  },
};
