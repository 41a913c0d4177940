import { check, failed, passed } from "../../kit/outcome.ts";
import { DATABASE } from "../database.ts";

export const databaseVersion = check("database-version", "SELECT version() answers", async (context) => {
  const { rows } = await (await context.database(DATABASE)).query<{ version: string }>("SELECT version()");
  const version = rows[0]?.version ?? "";
  return version.startsWith("PostgreSQL ") ? passed(version.split(" on ")[0]!) : failed(`the server says "${version}"`);
});
