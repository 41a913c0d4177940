import { list, ORGANIZATION } from "../api.ts";
import { askingCheck, failed, passed } from "../../kit/outcome.ts";
import { session } from "./session.ts";

export const read = askingCheck("read", "3 Reading answers with data", async (context) => {
  const rows = await list(context, await session(context));
  const total = context.baseline?.counts["pfa_records"] ?? 0;
  // An organization without rows proves nothing where the system has some.
  if (rows.length === 0 && total > 0) return failed(`no rows of ${ORGANIZATION}, although ${total} records were counted before`);
  return passed(`${rows.length} rows of ${ORGANIZATION}`);
});
