import type { FaultDefinition } from "../../definition.ts";
import { burst, login } from "../api.ts";
import { accessOf, switchApp } from "./switch.ts";

const REQUESTS = 40;
const SHARE_LIMIT = 0.05;

export const errorRate: FaultDefinition = {
  title: "One of five requests answers 500",
  scope: "full",
  switchOn: (context) => switchApp(context, "error-rate", { share: 0.2 }),
  probe: async (context) => {
    const access = accessOf(context);
    const { requests, errors } = await burst(access, await login(access), REQUESTS, 4);
    return errors / requests > SHARE_LIMIT ? `${errors} of ${requests} requests failed: above 5 %` : null;
  },
};
