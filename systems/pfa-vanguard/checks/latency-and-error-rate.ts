import { burstInWords } from "../../kit/client.ts";
import { askingCheck, failed, passed } from "../../kit/outcome.ts";
import { sample } from "./sample.ts";

const REQUESTS = 200;
const ERROR_SHARE_LIMIT = 0.001;
const MEDIAN_LIMIT_MS = 500;

export const latencyAndErrorRate = askingCheck(
  "latency-and-error-rate",
  "8 Error rate below 0.1 %, responses faster than 500 ms",
  async (context) => {
    const taken = await sample(context, REQUESTS);
    const { requests, errors, medianMs } = taken;
    const detail = burstInWords(taken, context.baseline?.latencyMs);
    const figures = { requests, errors, medianMs };
    if (errors / requests >= ERROR_SHARE_LIMIT) return failed(`${detail}; the limit is 0.1 %`, figures);
    if (medianMs >= MEDIAN_LIMIT_MS) return failed(`${detail}; the limit is ${MEDIAN_LIMIT_MS} ms`, figures);
    return passed(detail, figures);
  },
);
