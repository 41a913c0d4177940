import { rssBytes } from "../api.ts";
import { errorsInWords } from "../../kit/client.ts";
import { check, failed, passed } from "../../kit/outcome.ts";
import { sample } from "./sample.ts";

/** Requests per poll of a watch; a verification uses the requests of the previous check. */
const REQUESTS = 50;
const ERROR_SHARE_LIMIT = 0.005;
const RSS_LIMIT_BYTES = 512 * 1024 * 1024;

/** One sample of the half-hour watch. */
export const watchSample = check(
  "watch-sample",
  "10 A sample of the watch: errors, times, memory, restarts, new error lines",
  async (context) => {
    const taken = await sample(context, REQUESTS);
    const { requests, errors, medianMs, alerts, interrupted, pid } = taken;
    const rss = await rssBytes(context);
    const figures = { requests, errors, medianMs, rssBytes: rss, alerts };
    const detail = `${errorsInWords(taken)}, ${Math.round(rss / 2 ** 20)} MiB resident, process ${pid ?? "?"}`;
    if (interrupted !== null) return failed(`${interrupted}: ${detail}`, figures);
    if (errors / requests >= ERROR_SHARE_LIMIT) return failed(`${detail}; the limit is 0.5 %`, figures);
    if (rss >= RSS_LIMIT_BYTES) return failed(`${detail}; the limit is ${RSS_LIMIT_BYTES / 2 ** 20} MiB`, figures);
    return alerts > 0 ? failed(`${alerts} new critical lines in the error log; ${detail}`, figures) : passed(detail, figures);
  },
);
