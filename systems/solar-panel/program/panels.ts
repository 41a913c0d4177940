/** Panels on their way through the line: begun, passed from station to station, finished. */
import { HttpError, type Call, type Reply, type Route } from "../../kit/http.ts";
import { describeError, type Log } from "../../kit/log.ts";
import { userOf } from "../../kit/login.ts";
import type { Database, Session } from "../../kit/database.ts";

const LAST_STATION = 4;
const CHECK_VIOLATION = "23514";
const UNIQUE_VIOLATION = "23505";

/** What a release writes that another writes differently. */
export interface Line {
  /** SQL of a new panel's barcode. `$2` is the panel's type. */
  barcode(): string;
  /** Columns a new panel gets besides, as SQL. */
  begin(): Record<string, string>;
  /** Columns that change when a panel is passed on, as SQL over the panel's row. */
  pass(): Record<string, string>;
  /** Done in the same transaction after every write. */
  after?(session: Session): Promise<void>;
}

export const BARCODE = "'SP25-' || $2::text || '-' || lpad(nextval('panel_barcodes')::text, 8, '0')";

/** From PENDING to the first station, from station to station, and from the last one to COMPLETED with its measured values. */
export const PASS: Record<string, string> = {
  status: `CASE WHEN current_station < ${LAST_STATION} THEN 'IN_PROGRESS' ELSE 'COMPLETED' END::panel_status`,
  started_at: "coalesce(started_at, now())",
  completed_at: `CASE WHEN current_station >= ${LAST_STATION} THEN coalesce(completed_at, now()) END`,
  current_station: `least(current_station + 1, ${LAST_STATION})`,
  pmax: `CASE WHEN current_station >= ${LAST_STATION} THEN 410 END`,
  vmp: `CASE WHEN current_station >= ${LAST_STATION} THEN 41 END`,
  imp: `CASE WHEN current_station >= ${LAST_STATION} THEN 10 END`,
};

function text({ body }: Call, key: string): string {
  const value = body[key];
  if (typeof value !== "string") throw new HttpError(400, `${key} must be text`);
  return value;
}

export function panelRoutes(database: Database, jwtSecret: string, log: Log, line: Line): Route[] {
  const write = async (call: Call, work: (session: Session, user: string) => Promise<unknown>): Promise<Reply> => {
    const user = userOf(call, jwtSecret);
    try {
      return { json: await database.transaction((session) => work(session, user)) };
    } catch (error) {
      const { code, constraint } = error as { code?: string; constraint?: string };
      if (code === UNIQUE_VIOLATION) throw new HttpError(409, `${constraint ?? "a key"}: there is such a panel already`);
      if (code !== CHECK_VIOLATION) throw error;
      log.error("the database refused the panel", { ...describeError(error), constraint });
      return { status: 422, json: { error: `the database refused the panel: ${constraint ?? "a rule"}`, constraint } };
    }
  };
  return [
    {
      method: "GET",
      path: "/api/panels",
      handle: async (call) => {
        userOf(call, jwtSecret);
        const limit = Math.min(100, Math.max(1, Number(call.query.get("limit") ?? 20) || 20));
        return {
          json: {
            panels: await database.read("SELECT serial_number, status, current_station, notes FROM panels ORDER BY id DESC LIMIT $1", [
              limit,
            ]),
          },
        };
      },
    },
    {
      method: "GET",
      path: "/api/panels/:serial",
      handle: async (call) => {
        userOf(call, jwtSecret);
        const [panel] = await database.read(
          "SELECT serial_number, barcode, status, current_station, notes FROM panels WHERE serial_number = $1",
          [call.params["serial"]],
        );
        if (panel === undefined) throw new HttpError(404, `no panel ${call.params["serial"] ?? ""}`);
        return { json: panel };
      },
    },
    {
      method: "POST",
      path: "/api/panels",
      handle: (call) =>
        write(call, async (session, user) => {
          const values = [text(call, "serialNumber"), text(call, "panelType"), text(call, "line"), text(call, "notes"), user];
          const more = Object.entries(line.begin());
          const { rows } = await session.query(
            `INSERT INTO panels (serial_number, barcode, panel_type, line, notes, created_by${more.map(([column]) => `, ${column}`).join("")})
             VALUES ($1, ${line.barcode()}, $2, $3, $4, $5${more.map(([, sql]) => `, ${sql}`).join("")}) RETURNING serial_number, barcode, status`,
            values,
          );
          await line.after?.(session);
          return rows[0];
        }),
    },
    {
      method: "PUT",
      path: "/api/panels/:serial",
      handle: (call) =>
        write(call, async (session, user) => {
          const serial = call.params["serial"];
          const { rows: found } = await session.query<{ id: string; current_station: number }>(
            "SELECT id, current_station FROM panels WHERE serial_number = $1 FOR UPDATE",
            [serial],
          );
          const panel = found[0];
          if (panel === undefined) throw new HttpError(404, `no panel ${serial ?? ""}`);
          if (panel.current_station > 0)
            await session.query(
              "INSERT INTO inspections (panel_id, station, result, inspector, protocol) VALUES ($1, $2, 'PASS', $3, $4)",
              [panel.id, panel.current_station, user, `${serial ?? ""} at station ${panel.current_station}`],
            );
          const changes = Object.entries(line.pass()).map(([column, sql]) => `${column} = ${sql}`);
          const { rows } = await session.query(
            `UPDATE panels SET ${["notes = $2", ...changes].join(", ")} WHERE id = $1 RETURNING serial_number, status, current_station`,
            [panel.id, text(call, "notes")],
          );
          await line.after?.(session);
          return rows[0];
        }),
    },
    {
      method: "DELETE",
      path: "/api/panels/:serial",
      handle: (call) =>
        write(call, async (session) => {
          const { rowCount } = await session.query("DELETE FROM panels WHERE serial_number = $1", [call.params["serial"]]);
          if (rowCount === 0) throw new HttpError(404, `no panel ${call.params["serial"] ?? ""}`);
          return { deleted: rowCount };
        }),
    },
  ];
}
