import { list, listPath, request } from "../api.ts";
import { bodyOf } from "../../kit/client.ts";
import type { CheckContext } from "../../../config/system/check.ts";
import { askingCheck, failed, passed } from "../../kit/outcome.ts";
import { session } from "./session.ts";

const CATEGORY = "Equipment";

/** A user's first steps: log in, view, filter, sort, export. */
export const uat = askingCheck("uat", "9 A user can log in, view, filter, sort and export", async (context) => {
  const token = await session(context);
  const [all, filtered, sorted, { csv, type }] = await Promise.all([
    list(context, token),
    list(context, token, { category: CATEGORY }),
    list(context, token, { sort: "totalCost", order: "desc" }),
    exportCsv(context, token),
  ]);
  const stray = filtered.find((row) => row.category !== CATEGORY);
  if (stray !== undefined) return failed(`filtering by ${CATEGORY} shows ${stray.pfaId}, which is ${stray.category}`);
  if (filtered.length === 0 && all.some((row) => row.category === CATEGORY)) return failed(`filtering by ${CATEGORY} shows nothing`);
  const wrong = sorted.findIndex((row, index) => index > 0 && row.totalCost > sorted[index - 1]!.totalCost);
  if (wrong > 0) return failed(`sorted by cost, row ${wrong + 1} costs more than the one before`);
  if (!type.startsWith("text/csv") || !csv.startsWith("pfaId,")) return failed(`the export is ${type}, beginning "${csv.slice(0, 40)}"`);
  if (all.length > 0 && csv.split("\r\n").length < 3) return failed("the export has no rows although the list has");
  return passed(`viewed ${all.length}, filtered ${filtered.length}, sorted ${sorted.length} rows; exported ${csv.length} bytes of CSV`);
});

async function exportCsv(context: CheckContext, token: string): Promise<{ csv: string; type: string }> {
  const path = listPath({ format: "csv", limit: "50" });
  const response = await request(context, token, path);
  return { csv: await bodyOf(`GET ${path}`, response), type: response.headers.get("content-type") ?? "" };
}
