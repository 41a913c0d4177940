/** `/api/projects`, `/api/phases` and `/api/step-progress`: what every release has. */
import { HttpError, type Call, type Reply, type Route } from "../../kit/http.ts";
import type { SqliteDatabase } from "../../kit/sqlite.ts";
import type { SqlSession } from "../../../config/system/sql-session.ts";
import { now, writeHistory, type Change, type Row } from "./history.ts";
import type { Doorman, User } from "./users.ts";

const LIMIT = 100;

export interface ProjectOptions {
  database: SqliteDatabase;
  doorman: Doorman;
  /** Runs inside the transaction of every write, after it. */
  afterWrite?: (session: SqlSession, change: Change) => Promise<void>;
}

export function projectRoutes({ database, doorman, afterWrite }: ProjectOptions): Route[] {
  const write = async (call: Call, action: string, work: (session: SqlSession, user: User) => Promise<Change>): Promise<Reply> => {
    const user = await doorman.writer(call);
    const change = await database.transaction(async (session) => {
      const made = await work(session, user);
      await writeHistory(session, user, action, [made]);
      await afterWrite?.(session, made);
      return made;
    });
    return { json: change.after ?? change.before };
  };
  const list = (path: string, sql: string, parameter: string): Route => ({
    method: "GET",
    path,
    handle: async (call) => {
      await doorman.reader(call);
      const wanted = call.query.get(parameter);
      const limit = Math.min(LIMIT, Math.max(1, Number(call.query.get("limit") ?? LIMIT) || LIMIT));
      const rows = await database.read(`${sql} ${wanted === null ? "" : `WHERE ${parameter} = $2`} ORDER BY id LIMIT $1`, [
        limit,
        ...(wanted === null ? [] : [wanted]),
      ]);
      return { json: { rows, count: rows.length } };
    },
  });
  return [
    list("/api/projects", "SELECT id, code, name, status, updated_at FROM projects", "status"),
    list("/api/phases", "SELECT id, project_id, name, position, updated_at FROM phases", "project_id"),
    list("/api/step-progress", "SELECT id, phase_id, step, percent, updated_at FROM step_progress", "phase_id"),
    {
      method: "GET",
      path: "/api/projects/:code",
      handle: async (call) => {
        await doorman.reader(call);
        return { json: await database.transaction((session) => existing(session, call)) };
      },
    },
    {
      method: "POST",
      path: "/api/projects",
      handle: (call) =>
        write(call, "create_project", async (session) => {
          const [code, name] = [readText(call, "code"), readText(call, "name")];
          const made = await session.run(
            "INSERT INTO projects (code, name, status, updated_at) VALUES ($1, $2, 'active', $3) ON CONFLICT (code) DO NOTHING",
            [code, name, now()],
          );
          if (made === 0) throw new HttpError(409, `${code} exists already`);
          const after = await projectWith(session, code);
          return { table: "projects", rowId: Number(after!["id"]), code, operation: "create", before: null, after };
        }),
    },
    {
      method: "PUT",
      path: "/api/projects/:code",
      handle: (call) =>
        write(call, "update_project", async (session) => {
          const before = await existing(session, call);
          const code = String(before["code"]);
          await session.run("UPDATE projects SET name = $2, updated_at = $3 WHERE code = $1", [code, readText(call, "name"), now()]);
          return {
            table: "projects",
            rowId: Number(before["id"]),
            code,
            operation: "update",
            before,
            after: await projectWith(session, code),
          };
        }),
    },
    {
      method: "DELETE",
      path: "/api/projects/:code",
      handle: (call) =>
        write(call, "delete_project", async (session) => {
          const before = await existing(session, call);
          await session.run("DELETE FROM projects WHERE id = $1", [before["id"]!]);
          return { table: "projects", rowId: Number(before["id"]), code: String(before["code"]), operation: "delete", before, after: null };
        }),
    },
    {
      method: "PUT",
      path: "/api/step-progress/:id",
      handle: (call) =>
        write(call, "update_step", async (session) => {
          const { percent } = call.body;
          if (typeof percent !== "number" || !Number.isInteger(percent) || percent < 0 || percent > 100)
            throw new HttpError(400, "percent must be a whole number from 0 to 100");
          const before = await stepWith(session, call.params["id"] ?? "");
          await session.run("UPDATE step_progress SET percent = $2, updated_at = $3 WHERE id = $1", [before["id"]!, percent, now()]);
          const after = await stepWith(session, String(before["id"]));
          return { table: "step_progress", rowId: Number(before["id"]), code: null, operation: "update", before, after };
        }),
    },
  ];
}

export async function projectWith(session: SqlSession, code: string): Promise<Row | null> {
  return (await session.all<Row>("SELECT * FROM projects WHERE code = $1", [code]))[0] ?? null;
}

async function existing(session: SqlSession, { params }: Call): Promise<Row> {
  const project = await projectWith(session, params["code"] ?? "");
  if (project === null) throw new HttpError(404, `no project ${params["code"] ?? ""}`);
  return project;
}

export async function stepWith(session: SqlSession, id: string): Promise<Row> {
  const [step] = await session.all<Row>("SELECT * FROM step_progress WHERE id = $1", [Number(id)]);
  if (step === undefined) throw new HttpError(404, `no step ${id}`);
  return step;
}

/** @throws HttpError 400 */
export function readText({ body }: Call, key: string): string {
  const value = body[key];
  if (typeof value !== "string" || value === "") throw new HttpError(400, `${key} must be given`);
  return value;
}
