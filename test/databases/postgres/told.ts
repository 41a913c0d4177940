/** Everything that is in a database, as the server's own tool tells it to a superuser. */
import type pg from "pg";
import type { Endpoint } from "../../../config/endpoint.ts";
import { connectionString, runTool, serverArguments, toolsOf } from "../../../databases/in-place/tools.ts";

export async function toldBy(superuser: Endpoint, session: pg.Client, database: string): Promise<string[]> {
  const tools = await toolsOf(session);
  const args = ["--no-password", "--blobs", "--exclude-schema=backout_state", ...serverArguments(superuser)];
  const text = await runTool(tools, "pgDump", [...args, `--dbname=${connectionString(database)}`], superuser);
  return text.split("\n").filter((line) => line !== "" && !/^--|^\\(un)?restrict/.test(line));
}
