import type { FaultDefinition } from "../../../config/system/drill.ts";
import { burst, login } from "../api.ts";
import { accessOf } from "../../kit/fault-switch.ts";
import { switchBackend } from "./switch.ts";

const REQUESTS = 40;
const SHARE_LIMIT = 0.1;

export const errorRate: FaultDefinition = {
  title: "Three of ten requests answer 500",
  scope: "quick",
  switchOn: (context) => switchBackend(context, "error-rate", { share: 0.3 }),
  probe: async (context) => {
    const access = accessOf(context);
    const { requests, errors } = await burst(access, await login(access), REQUESTS, 4);
    return errors / requests > SHARE_LIMIT ? `${errors} of ${requests} requests failed: above 10 %` : null;
  },
};
