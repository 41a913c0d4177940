import type { FaultDefinition } from "../../../config/system/drill.ts";
import { burst, login } from "../api.ts";
import { accessOf } from "../../kit/fault-switch.ts";
import { switchBackend } from "./switch.ts";

const LIMIT_MS = 500;

export const slowResponses: FaultDefinition = {
  title: "Requests take most of a second",
  scope: "backend",
  switchOn: (context) => switchBackend(context, "slow-responses", { delayMs: 800 }),
  probe: async (context) => {
    const access = accessOf(context);
    const { requests, medianMs } = await burst(access, await login(access), 8, 4);
    return medianMs > LIMIT_MS ? `median of ${requests} requests is ${Math.round(medianMs)} ms: above ${LIMIT_MS} ms` : null;
  },
};
