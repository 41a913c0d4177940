import { check, failed, passed } from "../../kit/outcome.ts";
import { getJson } from "../api.ts";

export const health = check("health", "GET /api/health answers healthy", async (context) => {
  const { status, version } = await getJson<{ status?: string; version?: string }>(context, "/api/health");
  const declared = context.releases["radiation-monitoring"];
  if (status !== "healthy") return failed(`/api/health says ${status ?? "nothing"}`);
  return version === declared
    ? passed(`healthy, ${version}`)
    : failed(`/api/health answers with ${version ?? "no version"}, declared is ${declared ?? "none"}`);
});
