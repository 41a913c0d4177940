/**
 * Every check, in the order in which they run, those that only ask next to each other: what counts comes before what writes, what reads logs after
 * what causes lines in them.
 */
import type { CheckDefinition } from "../../../config/system/check.ts";
import { banner } from "./banner.ts";
import { count } from "./count.ts";
import { errorLog } from "./error-log.ts";
import { flagsAsDeclared } from "./flags-as-declared.ts";
import { frontendCompatible } from "./frontend-compatible.ts";
import { frontendVersion } from "./frontend-version.ts";
import { health } from "./health.ts";
import { latencyAndErrorRate } from "./latency-and-error-rate.ts";
import { login } from "./login.ts";
import { newTablesRemain } from "./new-tables-remain.ts";
import { read } from "./read.ts";
import { uat } from "./uat.ts";
import { watchSample } from "./watch-sample.ts";
import { workerStopped } from "./worker-stopped.ts";
import { write } from "./write.ts";

export const CHECKS: CheckDefinition[] = [
  workerStopped,
  health,
  login,
  read,
  banner,
  frontendVersion,
  frontendCompatible,
  count,
  newTablesRemain,
  flagsAsDeclared,
  write,
  uat,
  latencyAndErrorRate,
  errorLog,
  watchSample,
];
