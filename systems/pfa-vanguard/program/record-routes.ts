/** `/api/pfa-data`: read, write and export. What a release does besides the write itself is its `history`. */
import { HttpError, type Call, type Reply, type Route } from "../../kit/http.ts";
import { userOf } from "../../kit/login.ts";
import type { Database, Session } from "../../kit/database.ts";
import * as records from "./records.ts";
import type { PfaRecord } from "./records.ts";

export interface Change {
  operation: "create" | "update" | "delete";
  before: PfaRecord | null;
  after: PfaRecord | null;
  changedBy: string;
  /** False where the caller asked that the change goes to no other system. */
  synchronise: boolean;
}

/** Notes a change in the transaction that makes it. */
export type History = (session: Session, change: Change) => Promise<void>;

const PATH = "/api/pfa-data";

/** @param afterWrite runs once the write is committed, before it is acknowledged. */
export function recordRoutes(
  database: Database,
  jwtSecret: string,
  history: History,
  afterWrite?: (record: PfaRecord) => Promise<void>,
): Route[] {
  const write = async (call: Call, work: (session: Session) => Promise<Pick<Change, "operation" | "before" | "after">>): Promise<Reply> => {
    const changedBy = userOf(call, jwtSecret);
    const synchronise = call.header("x-sync") !== "off";
    const change = await database.transaction(async (session) => {
      const made = await work(session);
      await history(session, { ...made, changedBy, synchronise });
      return made;
    });
    const record = change.after ?? change.before!;
    await afterWrite?.(record);
    return { json: record };
  };
  return [
    {
      method: "GET",
      path: PATH,
      handle: async (call) => {
        userOf(call, jwtSecret);
        const request = records.readListRequest(call);
        const rows = await records.listRecords(database, request);
        return request.format === "csv"
          ? { text: records.toCsv(rows), type: "text/csv; charset=utf-8" }
          : { json: { rows, count: rows.length } };
      },
    },
    {
      method: "POST",
      path: PATH,
      handle: (call) =>
        write(call, async (session) => {
          const record = {
            ...records.readFields(call),
            organizationId: records.readText(call, "organizationId"),
            pfaId: records.readText(call, "pfaId"),
            category: records.readText(call, "category"),
          };
          const after = await records.insertRecord(session, record, userOf(call, jwtSecret));
          if (after === null) throw new HttpError(409, `${record.pfaId} exists already`);
          return { operation: "create", before: null, after };
        }),
    },
    {
      method: "PUT",
      path: `${PATH}/:pfaId`,
      handle: (call) =>
        write(call, async (session) => {
          const before = await existing(session, call);
          return { operation: "update", before, after: await records.updateRecord(session, before.pfaId, records.readFields(call)) };
        }),
    },
    {
      method: "DELETE",
      path: `${PATH}/:pfaId`,
      handle: (call) =>
        write(call, async (session) => {
          const before = await existing(session, call);
          await records.deleteRecord(session, before.pfaId);
          return { operation: "delete", before, after: null };
        }),
    },
  ];
}

async function existing(session: Session, { params }: Call): Promise<PfaRecord> {
  const record = await records.lockRecord(session, params["pfaId"] ?? "");
  if (record === null) throw new HttpError(404, `no record ${params["pfaId"] ?? ""}`);
  return record;
}
