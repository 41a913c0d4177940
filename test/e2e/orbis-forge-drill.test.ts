/** Bugs planted into drills of OrbisForge: its own checks must turn them red. */
import { DatabaseSync } from "node:sqlite";
import { afterEach, expect, test } from "vitest";
import { liveFile } from "../../config/site.ts";
import { makeProject, type DrillProject } from "./drill-stand.ts";
import { PROJECT } from "./stand.ts";

let project: DrillProject | null = null;
afterEach(async () => {
  await project?.remove();
  project = null;
});

test("one row of the restored data that is not there", async () => {
  project = await makeProject({ system: "orbis-forge" });
  const { code, failed, json } = await project.heldDrill("verify.before", (site) => {
    const file = new DatabaseSync(liveFile(site, "production"), { timeout: 5000 });
    file.exec("DELETE FROM step_progress WHERE id = 5");
    file.close();
    return Promise.resolve();
  });
  expect(code).toBe(1);
  expect(failed).toContain("rollback");
  expect(json.checks.find(({ name }) => name === "rollback")?.detail).toMatch(
    /counts \(projects \d+ of \d+ MATCH.*step_progress \d+ of \d+ MISMATCH/,
  );
});

test("permissions that come back as something else than they were", async () => {
  project = await makeProject({
    system: "orbis-forge",
    definition: `import { definition as orbisForge } from "${PROJECT}/systems/orbis-forge/definition.ts";
const [protection] = orbisForge.protections;
const giveBackSql = "UPDATE user_permissions SET access_level = 'write', original_access_level = NULL WHERE id = $1 AND $2 IS NOT NULL";
export const definition = { ...orbisForge, protections: [{ ...protection, giveBackSql }] };
`,
  });
  const { code, failed, json } = await project.drill(["--fault", "slow-responses", "--no-watch"]);
  expect(code).toBe(1);
  expect(failed).toContain("permissions");
  expect(json.checks.find(({ name, status }) => name === "permissions" && status === "failed")?.detail).toMatch(
    /reader has write, had read_only/,
  );
});
