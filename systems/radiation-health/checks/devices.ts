import { DATABASE } from "../database.ts";
import { check, failed, passed } from "../../kit/outcome.ts";
import { DEVICES_PATH, getJson } from "../api.ts";

const LISTED = 100;

export const devices = check("devices", "GET /api/radiation/devices lists the existing devices", async (context) => {
  const { devices: listed } = await getJson<{ devices: { serial?: unknown }[] }>(context, DEVICES_PATH);
  const { rows } = await (await context.database(DATABASE)).query<{ rows: number }>("SELECT count(*)::int AS rows FROM devices");
  const there = Math.min(LISTED, rows[0]!.rows);
  return listed.length === there
    ? passed(`${listed.length} devices listed`)
    : failed(`${listed.length} devices are listed, the database has ${there}`);
});
