/** A fault of the program only: its data is intact and stays. */
import type { FaultDefinition } from "../../../config/system/drill.ts";
import { burst, login } from "../api.ts";
import { accessOf } from "../../kit/fault-switch.ts";
import { switchOn } from "./switch.ts";

const TIMES_BASELINE = 5;
/** Below this users notice nothing, and five times a very short time is noise. */
const UNNOTICED_MS = 100;

export const slowResponses: FaultDefinition = {
  title: "Responses take more than five times as long as before",
  scope: "application",
  switchOn: (context) => switchOn(context, "slow-responses", { delayMs: 600 }),
  probe: async (context) => {
    const access = accessOf(context);
    const token = await login(access);
    // Unaffected requests show how fast the system is on this machine.
    const baseline = await burst(access, token, "/api/step-progress?limit=20", 8, 4);
    const { medianMs } = await burst(access, token, "/api/projects?limit=20", 8, 4);
    const limitMs = Math.max(UNNOTICED_MS, TIMES_BASELINE * baseline.medianMs);
    return medianMs > limitMs ? `median ${Math.round(medianMs)} ms against ${Math.round(baseline.medianMs)} ms elsewhere` : null;
  },
};
