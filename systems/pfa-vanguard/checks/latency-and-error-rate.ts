import { askingCheck, failed, passed } from "../../outcome.ts";
import { sample } from "./sample.ts";

const REQUESTS = 200;
const ERROR_SHARE_LIMIT = 0.001;
const MEDIAN_LIMIT_MS = 500;

export const latencyAndErrorRate = askingCheck(
  "latency-and-error-rate",
  "8 Error rate below 0.1 %, responses faster than 500 ms",
  async (context) => {
    const { requests, errors, medianMs } = await sample(context, REQUESTS);
    const before = context.baseline?.latencyMs;
    const detail = `${errors} errors in ${requests} requests, median ${medianMs.toFixed(1)} ms${before == null ? "" : ` (before: ${before.toFixed(1)} ms)`}`;
    const figures = { requests, errors, medianMs };
    if (errors / requests >= ERROR_SHARE_LIMIT) return failed(`${detail}; the limit is 0.1 %`, figures);
    if (medianMs >= MEDIAN_LIMIT_MS) return failed(`${detail}; the limit is ${MEDIAN_LIMIT_MS} ms`, figures);
    return passed(detail, figures);
  },
);
