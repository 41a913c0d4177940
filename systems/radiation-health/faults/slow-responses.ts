import type { FaultDefinition } from "../../../config/system/drill.ts";
import { API, burst } from "../api.ts";
import { RESPONSE_LIMIT_MS } from "../checks/response-time.ts";
import { accessOf } from "../../kit/fault-switch.ts";
import { switchOn } from "./switch.ts";

export const slowResponses: FaultDefinition = {
  title: "Requests take most of a second",
  scope: "application",
  switchOn: (context) => switchOn(context, API, "slow-responses", { delayMs: 800 }),
  probe: async (context) => {
    const { requests, medianMs } = await burst(accessOf(context), 8, 4);
    return medianMs > RESPONSE_LIMIT_MS
      ? `median of ${requests} requests is ${Math.round(medianMs)} ms: above ${RESPONSE_LIMIT_MS} ms`
      : null;
  },
};
