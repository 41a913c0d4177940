import type { FaultDefinition } from "../../../config/system/drill.ts";
import { brokenAlerts } from "./broken-alerts.ts";
import { brokenConfiguration } from "./broken-configuration.ts";
import { dataCorruption } from "./data-corruption.ts";
import { memoryLeak } from "./memory-leak.ts";
import { poolExhaustion } from "./pool-exhaustion.ts";
import { slowResponses } from "./slow-responses.ts";
import { webSocketFailures } from "./websocket-failures.ts";

export const FAULTS: Record<string, FaultDefinition> = {
  "broken-alerts": brokenAlerts,
  "data-corruption": dataCorruption,
  "slow-responses": slowResponses,
  "pool-exhaustion": poolExhaustion,
  "memory-leak": memoryLeak,
  "websocket-failures": webSocketFailures,
  "broken-configuration": brokenConfiguration,
};
