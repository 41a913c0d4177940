/** Bugs planted into drills of Solar Panel: its own checks must turn them red. */
import { afterEach, expect, test } from "vitest";
import { endpointOf, liveName } from "../../config/site.ts";
import { withSession } from "../../databases/postgres/connection.ts";
import { makeProject, type DrillProject } from "./drill-stand.ts";
import { PROJECT } from "./stand.ts";

let project: DrillProject | null = null;
afterEach(async () => {
  await project?.remove();
  project = null;
});

test("a constraint that is reported dropped and is there again", async () => {
  project = await makeProject({ system: "solar-panel" });
  const { code, failed, json } = await project.heldDrill("start.before", async (site) => {
    const trigger = "CREATE CONSTRAINT TRIGGER station_progression AFTER INSERT ON stations FOR EACH ROW EXECUTE FUNCTION touch_row()";
    const same =
      "CREATE CONSTRAINT TRIGGER station_progression AFTER INSERT OR UPDATE ON panels FOR EACH ROW EXECUTE FUNCTION check_station_progression()";
    await withSession(endpointOf(site), "postgres", (client) =>
      client.query(`ALTER DATABASE ${liveName(site, "solar")} ALLOW_CONNECTIONS true`),
    );
    // One of the same name on another table is no excuse.
    await withSession(endpointOf(site), liveName(site, "solar"), async (client) => void (await client.query(`${trigger}; ${same}`)));
  });
  expect(code).toBe(1);
  expect(json.verdict).toBe("failed");
  expect(failed).toContain("rollback");
  expect(json.checks.find(({ name }) => name === "rollback")?.detail).toMatch(
    /constraints-as-declared \(station_progression on panels is present \(enforced\), declared is dropped\)/,
  );
});

test("a drop that is on nobody's record", async () => {
  project = await makeProject({
    system: "solar-panel",
    definition: `import { definition as solarPanel } from "${PROJECT}/systems/solar-panel/definition.ts";
const records = solarPanel.constraintRecords;
const writeSql = records.writeSql + " WHERE $3 <> 'station_progression'";
export const definition = { ...solarPanel, constraintRecords: { ...records, writeSql } };
`,
  });
  const { code, failed, json } = await project.drill();
  expect(code).toBe(1);
  expect(failed).toContain("rollback");
  expect(json.checks.find(({ name }) => name === "rollback")?.detail).toMatch(
    /station_progression of panels was dropped, but the system's record of results does not offer it/,
  );
});
