import { burstInWords } from "../../kit/client.ts";
import { burst, login } from "../api.ts";
import { check, failed, passed } from "./outcome.ts";

const REQUESTS = 40;
const ERROR_SHARE_LIMIT = 0.05;
const MEDIAN_LIMIT_MS = 3000;

/** A sample: what a watch adds up over its time. */
export const errorRate = check("error-rate", "Fewer than 5 % of requests fail, responses are faster than 3 s", async (context) => {
  const taken = await burst(context, await login(context), REQUESTS, 4);
  const { requests, errors, medianMs } = taken;
  const detail = burstInWords(taken, context.baseline?.latencyMs);
  const figures = { requests, errors, medianMs };
  if (errors / requests > ERROR_SHARE_LIMIT || medianMs > MEDIAN_LIMIT_MS) return { ...failed(detail), figures };
  return { ...passed(detail), figures };
});
