import type { FaultDefinition } from "../../../config/system/drill.ts";
import { login, request } from "../api.ts";
import { accessOf } from "../../kit/fault-switch.ts";
import { switchBackend } from "./switch.ts";

export const brokenSync: FaultDefinition = {
  title: "The main feature of the release does not work",
  scope: "full",
  switchOn: (context) => switchBackend(context, "broken-sync"),
  probe: async (context) => {
    const access = accessOf(context);
    const response = await request(access, await login(access), "/api/sync/status");
    await response.text();
    return response.status >= 500 ? `GET /api/sync/status answers ${response.status}` : null;
  },
};
