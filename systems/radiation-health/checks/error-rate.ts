import { check, failed, passed } from "../../kit/outcome.ts";
import { errorsInWords } from "../../kit/client.ts";
import { burst } from "../api.ts";

export const ERROR_SHARE_LIMIT = 0.05;

export const errorRate = check("error-rate", "At most 5 % of requests fail", async (context) => {
  const taken = await burst(context, 100, 4);
  const { requests, errors } = taken;
  const detail = errorsInWords(taken);
  const figures = { requests, errors };
  const good = errors / requests <= ERROR_SHARE_LIMIT;
  return good ? passed(detail, figures) : failed(`${detail}; the limit is ${ERROR_SHARE_LIMIT * 100} %`, figures);
});
