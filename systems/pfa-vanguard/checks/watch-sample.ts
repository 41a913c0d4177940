import { burst, login, rssBytes } from "../api.ts";
import { isCritical } from "../../kit/log.ts";
import { check, failed, passed } from "../../outcome.ts";

const REQUESTS = 50;
const ERROR_SHARE_LIMIT = 0.005;
const RSS_LIMIT_BYTES = 512 * 1024 * 1024;

/** One sample of what is watched for half an hour afterwards. */
export const watchSample = check(
  "watch-sample",
  "10 A sample of the watch: errors, times, memory, restarts, new error lines",
  async (context) => {
    const before = await context.observe("backend");
    const linesBefore = (await context.errorLog("backend", 100)).filter(isCritical).length;
    const { requests, errors, medianMs } = await burst(context, await login(context), REQUESTS, 2);
    const rss = await rssBytes(context);
    const after = await context.observe("backend");
    const newLines = Math.max(0, (await context.errorLog("backend", 100)).filter(isCritical).length - linesBefore);
    const figures = { requests, errors, medianMs, rssBytes: rss, alerts: newLines };
    const detail = `${errors} errors in ${requests} requests, ${Math.round(rss / 2 ** 20)} MiB resident, process ${after.pid ?? "?"}`;
    if (!after.running || after.pid !== before.pid)
      return failed(`the backend was restarted or ended while it was watched: ${detail}`, figures);
    if (errors / requests >= ERROR_SHARE_LIMIT) return failed(`${detail}; the limit is 0.5 %`, figures);
    if (rss >= RSS_LIMIT_BYTES) return failed(`${detail}; the limit is ${RSS_LIMIT_BYTES / 2 ** 20} MiB`, figures);
    return newLines > 0 ? failed(`${newLines} new critical lines in the error log; ${detail}`, figures) : passed(detail, figures);
  },
);
