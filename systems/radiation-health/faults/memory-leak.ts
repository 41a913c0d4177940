import type { FaultDefinition } from "../../../config/system/drill.ts";
import { vitals } from "../api.ts";
import { MEMORY_SHARE_LIMIT } from "../checks/memory.ts";
import { accessOf } from "../../kit/fault-switch.ts";
import { switchOn } from "./switch.ts";

const SERVICE = "data-retention-service";

export const memoryLeak: FaultDefinition = {
  title: "One service leaks memory, up to its limit",
  scope: "service",
  service: SERVICE,
  switchOn: (context) => switchOn(context, SERVICE, "memory-leak"),
  probe: async (context) => {
    const { rssBytes, memoryLimitBytes } = await vitals(accessOf(context), SERVICE);
    const share = rssBytes / memoryLimitBytes;
    return share > MEMORY_SHARE_LIMIT ? `${SERVICE} has ${Math.round(share * 100)} % of its memory: above 95 %` : null;
  },
};
