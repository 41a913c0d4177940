import { check, failed, passed } from "./outcome.ts";

const LINES = 100;

export const errorLog = check("error-log", `The last ${LINES} lines of the error log hold nothing critical`, async (context) => {
  const critical = (await context.errorLog("app", LINES)).filter(isCritical);
  if (critical.length > 0)
    return failed(`${critical.length} of the last ${LINES} lines are critical, the last one: ${critical.at(-1)!.slice(0, 200)}`);
  return passed("nothing critical since the application was started");
});

/** The program writes errors as JSON; another line is critical if it looks like a crash. */
function isCritical(line: string): boolean {
  try {
    const { level } = JSON.parse(line) as { level?: string };
    return level === "error" || level === "fatal";
  } catch {
    return /error|exception|fatal|panic|out of memory/i.test(line);
  }
}
