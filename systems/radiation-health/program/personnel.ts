/** `/api/radiation/personnel`: who wears a dosimeter. Reading is open to the station's network, writing needs a login. */
import type { Database } from "../../kit/database.ts";
import { HttpError, type Call, type Reply, type Route } from "../../kit/http.ts";
import { userOf } from "../../kit/login.ts";

const PATH = "/api/radiation/personnel";
const COLUMNS = `employee_number AS "employeeNumber", full_name AS "fullName", zone`;
const LIMIT = 200;

interface Person {
  employeeNumber: string;
  fullName: string;
  zone: string;
}

/** @param afterWrite runs once a write is committed, before it is acknowledged. */
export function personnelRoutes(database: Database, jwtSecret: string, afterWrite: () => Promise<void> = async () => {}): Route[] {
  const written = async (call: Call, sql: string, values: unknown[], refusal: HttpError): Promise<Reply> => {
    userOf(call, jwtSecret);
    const rows = await database.transaction(async (session) => (await session.query<Person>(sql, values)).rows);
    if (rows[0] === undefined) throw refusal;
    await afterWrite();
    return { json: rows[0] };
  };
  const unknown = (call: Call): HttpError => new HttpError(404, `nobody has the number ${call.params["number"]}`);
  return [
    {
      method: "GET",
      path: PATH,
      handle: async ({ query }) => {
        const limit = Math.min(LIMIT, Math.max(1, Number(query.get("limit") ?? LIMIT) || LIMIT));
        const personnel = await database.read<Person>(`SELECT ${COLUMNS} FROM radiation_personnel ORDER BY employee_number LIMIT $1`, [
          limit,
        ]);
        return { json: { personnel, count: personnel.length } };
      },
    },
    {
      method: "GET",
      path: `${PATH}/:number`,
      handle: async (call) => {
        const [person] = await database.read<Person>(`SELECT ${COLUMNS} FROM radiation_personnel WHERE employee_number = $1`, [
          call.params["number"],
        ]);
        if (person === undefined) throw unknown(call);
        return { json: person };
      },
    },
    {
      method: "POST",
      path: PATH,
      handle: (call) =>
        written(
          call,
          `INSERT INTO radiation_personnel (employee_number, full_name, zone) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING ${COLUMNS}`,
          [text(call, "employeeNumber"), text(call, "fullName"), call.body["zone"] ?? "controlled"],
          new HttpError(409, `${text(call, "employeeNumber")} is taken`),
        ),
    },
    {
      method: "PUT",
      path: `${PATH}/:number`,
      handle: (call) =>
        written(
          call,
          `UPDATE radiation_personnel SET full_name = $2 WHERE employee_number = $1 RETURNING ${COLUMNS}`,
          [call.params["number"], text(call, "fullName")],
          unknown(call),
        ),
    },
    {
      method: "DELETE",
      path: `${PATH}/:number`,
      handle: (call) =>
        written(
          call,
          `DELETE FROM radiation_personnel WHERE employee_number = $1 RETURNING ${COLUMNS}`,
          [call.params["number"]],
          unknown(call),
        ),
    },
  ];
}

/** @throws HttpError 400 */
export function text({ body }: Call, key: string): string {
  const value = body[key];
  if (typeof value !== "string" || value === "") throw new HttpError(400, `${key} must be given`);
  return value;
}
