import { askingCheck, failed, passed } from "../../kit/outcome.ts";

export const health = askingCheck("health", "1 Health endpoints of backend and database answer healthy", async (context) => {
  const seen: string[] = [];
  for (const path of ["/health", "/health/db"]) {
    const response = await context.fetch(`${context.url("backend")}${path}`);
    const text = (await response.text()).trim();
    const body = response.status === 200 ? (JSON.parse(text) as { status?: string; version?: string }) : {};
    if (body.status !== "healthy") return failed(`${path} answered ${response.status} ${text.slice(0, 160)}`);
    const declared = context.releases["backend"];
    if (path === "/health" && body.version !== declared)
      return failed(`${path} answers with version ${body.version ?? "none"}, declared is ${declared ?? "none"}`);
    seen.push(`${path} ${text}`);
  }
  return passed(seen.join("; "));
});
