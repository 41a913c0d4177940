import { check, failed, passed } from "../../kit/outcome.ts";
import { vitals } from "../api.ts";
import { services } from "../services.ts";

export const MEMORY_SHARE_LIMIT = 0.95;

export const memory = check("memory", "Every service has less than 95 % of its memory", async (context) => {
  const seen: string[] = [];
  let largest = 0;
  for (const name of Object.keys(services).filter((service) => context.running[service] !== false)) {
    const { rssBytes, memoryLimitBytes } = await vitals(context, name);
    const share = rssBytes / memoryLimitBytes;
    largest = Math.max(largest, share);
    const told = `${name} ${Math.round(share * 100)} % of ${Math.round(memoryLimitBytes / 2 ** 20)} MiB`;
    // NaN must fail.
    if (!(share < MEMORY_SHARE_LIMIT)) return failed(`${told}; the limit is 95 %`, { memoryShare: share });
    seen.push(told);
  }
  return passed(seen.join(", "), { memoryShare: largest });
});
