import { setTimeout as sleep } from "node:timers/promises";
import { check, failed, passed } from "../../kit/outcome.ts";
import { services } from "../services.ts";

const WATCHED_MS = 500;

/** Comes last: the load of the other checks may have ended a service. */
export const noFailedService = check("no-failed-service", "No service ends or restarts during the checks", async (context) => {
  const expected = Object.keys(services).filter((service) => context.running[service] !== false);
  const look = () => Promise.all(expected.map(async (name) => ({ name, ...(await context.observe(name)) })));
  const before = await look();
  await sleep(WATCHED_MS);
  const after = await look();
  const wrong = after.filter(({ running, pid }, index) => !running || pid !== before[index]!.pid);
  return wrong.length === 0
    ? passed(`${expected.length} services run as before`)
    : failed(wrong.map(({ name, running }) => `${name} ${running ? "was restarted" : "has ended"}`).join(", "));
});
