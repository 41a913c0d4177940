import { createContext, runInContext } from "node:vm";
import type { DrillContext, FaultDefinition } from "../../../config/system/drill.ts";
import { list, login, ORGANIZATION, request, type Row } from "../api.ts";
import { accessOf, FaultNotSwitchedError } from "../../kit/fault-switch.ts";

/** v4.0.0's page knows four categories, and shows no row at all when one row has another. */
const CATEGORY = "Permits";
const TIMEOUT_MS = 1000;

export const brokenFrontend: FaultDefinition = {
  title: "The page fails to show the data",
  scope: "frontend",
  switchOn: async (context) => {
    const access = accessOf(context);
    const body = { organizationId: ORGANIZATION, pfaId: `DRILL-${Date.now()}`, category: CATEGORY, description: "made by a drill" };
    const response = await request(access, await login(access), "/api/pfa-data", { method: "POST", body });
    const text = await response.text();
    if (response.status !== 200)
      throw new FaultNotSwitchedError(
        "broken-frontend",
        "v4.0.0",
        new Error(`POST /api/pfa-data answered ${response.status}: ${text.slice(0, 160)}`),
      );
  },
  probe: async (context) => {
    const access = accessOf(context);
    const token = await login(access);
    const rows = [...(await list(access, token, { limit: "50" })), ...(await list(access, token, { category: CATEGORY }))];
    return render(await servedScript(context), rows);
  },
};

async function servedScript(context: DrillContext): Promise<string> {
  const response = await accessOf(context).fetch(`${context.url("frontend")}/rows.js`);
  if (response.status !== 200) throw new Error(`GET /rows.js answered ${response.status}`);
  return response.text();
}

/** Runs the page's own script on the data, as a browser would; what it throws is what users see as an empty page. */
function render(script: string, rows: Row[]): string | null {
  const page = createContext({ rows: JSON.stringify(rows) });
  try {
    const html: unknown = runInContext(`${script}\n;renderRows(JSON.parse(rows))`, page, { timeout: TIMEOUT_MS });
    return typeof html === "string" && html.includes("<table>") ? null : "the page's script shows no table";
  } catch (error) {
    return `the page's script fails on ${rows.length} rows: ${(error as { message?: string }).message ?? String(error)}`;
  }
}
