import { isCritical } from "../../kit/log.ts";
import { check, failed, passed } from "../../kit/outcome.ts";

const LINES = 100;

export const errorLog = check("error-log", `7 The last ${LINES} lines of the error logs hold nothing critical`, async (context) => {
  const services = ["backend", ...(context.running["worker"] === false ? [] : ["worker"])];
  for (const service of services) {
    const critical = (await context.errorLog(service, LINES)).filter(isCritical);
    if (critical.length > 0)
      return failed(
        `${service}: ${critical.length} of the last ${LINES} lines are critical, the last one: ${critical.at(-1)!.slice(0, 200)}`,
      );
  }
  return passed(`nothing critical of ${services.join(" and ")} since they were started`);
});
