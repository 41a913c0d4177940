/** Bugs planted into a drill of Service Center: its own checks must turn it red, each by its name. */
import { afterEach, expect, test } from "vitest";
import { endpointOf, liveName } from "../../config/site.ts";
import { withSession } from "../../databases/postgres/connection.ts";
import { DATABASE } from "../../systems/service-center/api.ts";
import { makeProject, type DrillProject } from "./drill-stand.ts";

let project: DrillProject | null = null;
afterEach(async () => {
  await project?.remove();
  project = null;
});

test("restored data without its policies, without a trigger, and with a table of the newer release", async () => {
  project = await makeProject({ system: "service-center" });
  const { code, failed, json } = await project.heldDrill("verify.before", (site) =>
    withSession(endpointOf(site), liveName(site, DATABASE), async (client) => {
      await client.query("ALTER TABLE service_tickets DISABLE ROW LEVEL SECURITY");
      await client.query("DROP TRIGGER service_tickets_updated_at ON service_tickets");
      await client.query("CREATE TABLE task_templates (id bigint PRIMARY KEY)");
    }),
  );
  expect(code).toBe(1);
  expect(json.verdict).toBe("failed");
  expect(failed).toContain("rollback");
  const detail = json.checks.find(({ name, status }) => name === "rollback" && status === "failed")?.detail ?? "";
  for (const check of ["rls-isolation", "triggers-functioning", "phase-2-tables-gone"]) expect(detail).toContain(`${check} (`);
});
