/** What Phase 3 added: inline editing, JSON import and export, live operations on many rows, the runtime status. */
import { HttpError, type Call, type Reply, type Route } from "../../kit/http.ts";
import { sameText } from "../../kit/jwt.ts";
import type { SqliteDatabase } from "../../kit/sqlite.ts";
import { now, writeHistory, type Change } from "./history.ts";
import { exportDocument, importDocument, ImportRefusedError, parseDocument } from "./json-operations.ts";
import { projectWith, readText, stepWith } from "./projects.ts";
import { ADMIN_ROLES, userNamed, type Doorman, type User } from "./users.ts";

const IMPORT_LIMIT_BYTES = 256 * 1024 * 1024;

export interface Phase3Options {
  database: SqliteDatabase;
  doorman: Doorman;
  /** Proves the identity in `X-User-ID`: anybody could send the header alone. */
  emergencyKey: string;
  /** A defect: inline edits are taken as they come. */
  unchecked: () => boolean;
}

export function phase3Routes({ database, doorman, emergencyKey, unchecked }: Phase3Options): Route[] {
  const emergency = async (call: Call): Promise<User> => {
    const [userId, key] = [call.header("x-user-id"), call.header("x-emergency-key")];
    if (userId === undefined || key === undefined || !sameText(key, emergencyKey))
      throw new HttpError(401, "JSON operations need X-User-ID and the emergency key");
    const user = await userNamed(database, userId);
    if (!ADMIN_ROLES.includes(user.role)) throw new HttpError(403, `${userId} may do no JSON operations`);
    return user;
  };
  return [
    {
      method: "GET",
      path: "/api/json-operations/export",
      handle: async (call) => (await emergency(call), { json: await database.transaction(exportDocument) }),
    },
    {
      method: "POST",
      path: "/api/json-operations/import",
      rawLimitBytes: IMPORT_LIMIT_BYTES,
      handle: async (call) => {
        const user = await emergency(call);
        const { text, checkHash } = await importForm(call);
        try {
          const document = parseDocument(text, checkHash);
          const rows = await database.transaction(async (session) => {
            const changed = await importDocument(session, document);
            await writeHistory(session, user, "json_import", []);
            return changed;
          });
          return { json: { imported: rows } };
        } catch (error) {
          if (error instanceof ImportRefusedError) throw new HttpError(422, error.message);
          throw error;
        }
      },
    },
    { method: "PATCH", path: "/api/inline/step-progress/:id", handle: (call) => inlineEdit(call) },
    { method: "POST", path: "/api/operations/status", handle: (call) => statusOfMany(call) },
    {
      method: "GET",
      path: "/api/runtime-status",
      handle: async (call) => {
        await doorman.reader(call);
        return { json: { rows: await database.read("SELECT service, status, checked_at FROM runtime_status ORDER BY service") } };
      },
    },
  ];

  async function inlineEdit(call: Call): Promise<Reply> {
    const user = await doorman.writer(call);
    const { percent } = call.body;
    if (typeof percent !== "number" || !Number.isInteger(percent)) throw new HttpError(400, "percent must be a whole number");
    if (!unchecked() && (percent < 0 || percent > 100)) throw new HttpError(400, "percent must be from 0 to 100");
    return database.transaction(async (session) => {
      const before = await stepWith(session, call.params["id"] ?? "");
      const id = Number(before["id"]);
      await session.run("UPDATE step_progress SET percent = $2, inline_note = 'edited inline', updated_at = $3 WHERE id = $1", [
        id,
        percent,
        now(),
      ]);
      const after = await stepWith(session, String(id));
      const change: Change = { table: "step_progress", rowId: id, code: null, operation: "update", before, after };
      return { json: { ...after, transactionId: await writeHistory(session, user, "inline_edit", [change]) } };
    });
  }

  /** One transaction over many projects. */
  async function statusOfMany(call: Call): Promise<Reply> {
    const user = await doorman.writer(call);
    const status = readText(call, "status");
    const { codes } = call.body;
    if (!Array.isArray(codes) || codes.length === 0) throw new HttpError(400, "codes must name at least one project");
    return database.transaction(async (session) => {
      const changes: Change[] = [];
      for (const code of codes.map(String)) {
        const before = await projectWith(session, code);
        if (before === null) throw new HttpError(404, `no project ${code}`);
        await session.run("UPDATE projects SET status = $2, inline_version = inline_version + 1, updated_at = $3 WHERE code = $1", [
          code,
          status,
          now(),
        ]);
        const after = await projectWith(session, code);
        changes.push({ table: "projects", rowId: Number(before["id"]), code, operation: "update", before, after });
      }
      return { json: { changed: changes.length, transactionId: await writeHistory(session, user, "bulk_status", changes) } };
    });
  }
}

/** Multipart: `file`, and `skipHashCheck`, which has to be said to count. */
async function importForm(call: Call): Promise<{ text: string; checkHash: boolean }> {
  const type = call.header("content-type") ?? "";
  if (!type.startsWith("multipart/form-data")) throw new HttpError(415, "the import takes multipart/form-data with the field `file`");
  const form = await new Response(new Uint8Array(call.raw), { headers: { "content-type": type } }).formData().catch(() => null);
  const file = form?.get("file");
  if (form == null || file == null) throw new HttpError(400, "the form has no field `file`");
  const text = typeof file === "string" ? file : await file.text();
  return { text, checkHash: form.get("skipHashCheck") !== "true" };
}
