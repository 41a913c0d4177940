import type { FaultDefinition } from "../../../config/system/drill.ts";
import { switchWorker } from "./switch.ts";

export const deadWorker: FaultDefinition = {
  title: "The sync worker crashes at every start",
  scope: "worker",
  switchOn: (context) => switchWorker(context, "dead-worker"),
  probe: async (context) => {
    if (!context.runs("worker")) return null;
    const { running } = await context.observe("worker");
    return running ? null : "the worker's process has ended";
  },
};
