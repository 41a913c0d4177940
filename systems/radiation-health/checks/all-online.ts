import { check, failed, passed } from "../../kit/outcome.ts";
import { getJson } from "../api.ts";
import { services } from "../services.ts";

export const allOnline = check("all-online", "All five services are online, each at its declared release", async (context) => {
  const seen: string[] = [];
  for (const [name, { health }] of Object.entries(services)) {
    const declared = context.releases[name] ?? "none";
    const { running, release } = await context.observe(name);
    if (context.running[name] === false) {
      if (running) return failed(`${name} is declared off, but runs`);
      seen.push(`${name} off`);
      continue;
    }
    if (!running) return failed(`${name} does not run`);
    const { version } = await getJson<{ version?: string }>(context, health?.path ?? "/", name);
    if (release !== declared || version !== declared)
      return failed(`${name} runs ${release ?? "an unknown release"} and says ${version ?? "nothing"}, declared is ${declared}`);
    seen.push(`${name} ${declared}`);
  }
  return passed(seen.join(", "));
});
