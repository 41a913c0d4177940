import { isCritical } from "../../kit/log.ts";
import { check, failed, passed } from "../../kit/outcome.ts";
import { services } from "../services.ts";

const LINES = 100;

export const errorLog = check(
  "error-log",
  `The last ${LINES} lines of every service's error log hold nothing critical`,
  async (context) => {
    for (const name of Object.keys(services).filter((service) => context.running[service] !== false)) {
      const critical = (await context.errorLog(name, LINES)).filter(isCritical);
      if (critical.length > 0)
        return failed(
          `${name}: ${critical.length} of the last ${LINES} lines are critical, the last one: ${critical.at(-1)!.slice(0, 200)}`,
        );
    }
    return passed("nothing critical of any service since it was started");
  },
);
