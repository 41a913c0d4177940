/** Every check but those in `verify/`, in the order in which they run: what counts comes before what writes, what reads logs after what causes lines in them. */
import type { CheckDefinition } from "../../../config/system/check.ts";
import { alertChain } from "./alert-chain.ts";
import { allOnline } from "./all-online.ts";
import { connections } from "./connections.ts";
import { count } from "./count.ts";
import { databaseVersion } from "./database-version.ts";
import { devices } from "./devices.ts";
import { errorLog } from "./error-log.ts";
import { errorRate } from "./error-rate.ts";
import { featureTables } from "./feature-tables.ts";
import { health } from "./health.ts";
import { memory } from "./memory.ts";
import { noFailedService } from "./no-failed-service.ts";
import { personnel } from "./personnel.ts";
import { responseTime } from "./response-time.ts";
import { webSocket } from "./websocket.ts";

export const CHECKS: CheckDefinition[] = [
  allOnline,
  health,
  personnel,
  devices,
  databaseVersion,
  webSocket,
  count,
  featureTables,
  alertChain,
  responseTime,
  errorRate,
  memory,
  connections,
  errorLog,
  noFailedService,
];
