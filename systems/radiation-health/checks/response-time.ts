import { check, failed, passed } from "../../kit/outcome.ts";
import { burst } from "../api.ts";

export const RESPONSE_LIMIT_MS = 500;

export const responseTime = check("response-time", "The personnel endpoint answers within 500 ms", async (context) => {
  const { requests, medianMs } = await burst(context, 60, 2);
  const before = context.baseline?.latencyMs;
  const detail = `median of ${requests} requests ${medianMs.toFixed(1)} ms${before == null ? "" : ` (before: ${before.toFixed(1)} ms)`}`;
  const figures = { medianMs };
  const good = requests > 0 && medianMs < RESPONSE_LIMIT_MS;
  return good ? passed(detail, figures) : failed(`${detail}; the limit is ${RESPONSE_LIMIT_MS} ms`, figures);
});
