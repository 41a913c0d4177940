/** Error logs and the server behind them: what was written about a server that has died since says nothing of the one that runs now. */
import type { SystemDefinition } from "../../config/system/definition.ts";
import type { OpenData } from "../../databases/open-data.ts";

/** Lines with a `time` (JSON, ISO 8601) before `since` are left out, with those without one that follow them. Milliseconds since the epoch. */
export function linesSince(lines: string[], since: number): string[] {
  let before = false;
  return lines.filter((line) => {
    const at = timeOf(line);
    if (at !== null) before = at < since;
    return !before;
  });
}

function timeOf(line: string): number | null {
  try {
    const at = Date.parse((JSON.parse(line) as { time?: string } | null)?.time ?? "");
    return Number.isNaN(at) ? null : at;
  } catch {
    return null;
  }
}

/** When the server of the live databases came up, by this machine's clock; null: there is none, or it is not known. */
export async function serverUpSince(hasServer: boolean, definition: SystemDefinition, data: OpenData): Promise<number | null> {
  const [first] = Object.keys(definition.databases);
  if (!hasServer || first === undefined) return null;
  try {
    const client = await data.database(first);
    const { rows } = await client.query<{ up: string }>("SELECT extract(epoch FROM clock_timestamp() - pg_postmaster_start_time()) AS up");
    return Date.now() - Number(rows[0]!.up) * 1000;
  } catch {
    return null;
  }
}
