import { isCritical } from "../../kit/log.ts";
import { check, failed, passed } from "../../kit/outcome.ts";

const LINES = 100;

export const errorLog = check("error-log", `7 The last ${LINES} lines of the error logs hold nothing critical`, async (context) => {
  const components = ["backend", ...(context.running["worker"] === false ? [] : ["worker"])];
  for (const component of components) {
    const critical = (await context.errorLog(component, LINES)).filter(isCritical);
    if (critical.length > 0)
      return failed(
        `${component}: ${critical.length} of the last ${LINES} lines are critical, the last one: ${critical.at(-1)!.slice(0, 200)}`,
      );
  }
  return passed(`nothing critical of ${components.join(" and ")} since they were started`);
});
