import type { FaultDefinition } from "../../definition.ts";
import { burst, login } from "../api.ts";
import { accessOf, switchApp } from "./switch.ts";

const LIMIT_MS = 3000;

export const slowResponses: FaultDefinition = {
  title: "Requests take more than three seconds",
  scope: "full",
  switchOn: (context) => switchApp(context, "slow-responses", { delayMs: 3300 }),
  probe: async (context) => {
    const access = accessOf(context);
    const { requests, medianMs } = await burst(access, await login(access), 4, 4);
    return medianMs > LIMIT_MS ? `median of ${requests} requests is ${Math.round(medianMs)} ms: above ${LIMIT_MS} ms` : null;
  },
};
