import type { FaultDefinition } from "../../../config/system/drill.ts";
import { brokenFrontend } from "./broken-frontend.ts";
import { brokenSync } from "./broken-sync.ts";
import { corruptingWrites } from "./corrupting-writes.ts";
import { deadWorker } from "./dead-worker.ts";
import { errorRate } from "./error-rate.ts";
import { growingQueue } from "./growing-queue.ts";
import { memoryLeak } from "./memory-leak.ts";
import { slowResponses } from "./slow-responses.ts";

export const FAULTS: Record<string, FaultDefinition> = {
  "corrupting-writes": corruptingWrites,
  "error-rate": errorRate,
  "slow-responses": slowResponses,
  "memory-leak": memoryLeak,
  "growing-queue": growingQueue,
  "dead-worker": deadWorker,
  "broken-sync": brokenSync,
  "broken-frontend": brokenFrontend,
};
