import type { FaultDefinition } from "../../../config/system/drill.ts";
import { burst, login } from "../api.ts";
import { accessOf } from "../../kit/fault-switch.ts";
import { switchApp } from "./switch.ts";

const REQUESTS = 20;
const SHARE_LIMIT = 0.05;
const LIMIT_MS = 3000;

/** Both in one drill: they have the same class, deadline and scope. */
export const errorRate: FaultDefinition = {
  title: "One of five requests answers 500, and every one takes more than three seconds",
  scope: "full",
  switchOn: async (context) => {
    await switchApp(context, "error-rate", { share: 0.2 });
    await switchApp(context, "slow-responses", { delayMs: 3300 });
  },
  probe: async (context) => {
    const access = accessOf(context);
    const { requests, errors, medianMs } = await burst(access, await login(access), REQUESTS, REQUESTS);
    const [failing, slow] = [errors / requests > SHARE_LIMIT, medianMs > LIMIT_MS];
    return failing || slow
      ? `${errors} of ${requests} requests failed (limit 5 %), their median is ${Math.round(medianMs)} ms (limit ${LIMIT_MS} ms)`
      : null;
  },
};
