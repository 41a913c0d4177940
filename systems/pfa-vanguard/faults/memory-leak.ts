import type { FaultDefinition } from "../../../config/system/drill.ts";
import { rssBytes } from "../api.ts";
import { accessOf } from "../../kit/fault-switch.ts";
import { switchBackend } from "./switch.ts";

const LIMIT_BYTES = 300 * 1024 * 1024;

export const memoryLeak: FaultDefinition = {
  title: "The backend leaks memory",
  scope: "quick",
  switchOn: (context) => switchBackend(context, "memory-leak"),
  probe: async (context) => {
    const rss = await rssBytes(accessOf(context));
    const mebibytes = (bytes: number): number => Math.round(bytes / 2 ** 20);
    return rss > LIMIT_BYTES ? `the backend has ${mebibytes(rss)} MiB resident: above ${mebibytes(LIMIT_BYTES)} MiB` : null;
  },
};
