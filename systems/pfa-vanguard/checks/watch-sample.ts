import { burst, login, rssBytes } from "../api.ts";
import { isCritical } from "./error-log.ts";
import { check, failed, passed } from "./outcome.ts";

const ERROR_SHARE_LIMIT = 0.005;
const RSS_LIMIT_BYTES = 512 * 1024 * 1024;

/** One sample of what is watched for half an hour afterwards. */
export const watchSample = check("watch-sample", "10 A sample of the watch: errors, memory, restarts, new error lines", async (context) => {
  const before = await context.observe("backend");
  const linesBefore = (await context.errorLog("backend", 100)).filter(isCritical).length;
  const { requests, errors } = await burst(context, await login(context), 50, 2);
  const rss = await rssBytes(context);
  const after = await context.observe("backend");
  const detail = `${errors} errors in ${requests} requests, ${Math.round(rss / 2 ** 20)} MiB resident, process ${after.pid ?? "?"}`;
  if (!after.running || after.pid !== before.pid) return failed(`the backend was restarted or ended while it was watched: ${detail}`);
  if (errors / requests >= ERROR_SHARE_LIMIT) return failed(`${detail}; the limit is 0.5 %`);
  if (rss >= RSS_LIMIT_BYTES) return failed(`${detail}; the limit is ${RSS_LIMIT_BYTES / 2 ** 20} MiB`);
  const newLines = (await context.errorLog("backend", 100)).filter(isCritical).length - linesBefore;
  return newLines > 0 ? failed(`${newLines} new critical lines in the error log; ${detail}`) : passed(detail);
});
