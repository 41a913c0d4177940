import { check, failed, passed } from "../../kit/outcome.ts";
import { getJson, PERSONNEL_PATH } from "../api.ts";

export const personnel = check("personnel", "GET /api/radiation/personnel answers with people", async (context) => {
  const { personnel: people } = await getJson<{ personnel: { employeeNumber?: unknown }[] }>(context, PERSONNEL_PATH);
  const before = context.baseline?.counts["radiation_personnel"] ?? 0;
  if (people.length === 0 && before > 0) return failed(`nobody is listed, although ${before} people were counted before`);
  if (people.some(({ employeeNumber }) => typeof employeeNumber !== "string")) return failed("a person is listed without a number");
  return passed(`${people.length} people listed`);
});
