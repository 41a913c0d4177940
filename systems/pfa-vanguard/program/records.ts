/** PFA records as the API shows them, and the statements that read and write them. */
import { type Call, HttpError } from "../../kit/http.ts";
import type { Database, Session } from "../../kit/database.ts";

export interface PfaRecord {
  id: number;
  pfaId: string;
  organizationId: string;
  category: string;
  description: string;
  monthlyRate: number;
  durationMonths: number;
  totalCost: number;
  source: "api" | "import";
  updatedAt: string;
}

const COLUMNS = `id::float8 AS id, pfa_id AS "pfaId", organization_id AS "organizationId", category, description, monthly_rate::float8 AS "monthlyRate",
  duration_months AS "durationMonths", total_cost::float8 AS "totalCost", source, to_json(updated_at) #>> '{}' AS "updatedAt"`;

// Qualified: a bare name would mean the output column, whose type no index has.
const SORTABLE: Record<string, string> = {
  id: "r.id",
  pfaId: "r.pfa_id",
  category: "r.category",
  description: "r.description",
  monthlyRate: "r.monthly_rate",
  totalCost: "r.total_cost",
  updatedAt: "r.updated_at",
};

const LIST_LIMIT = 100;
const EXPORT_LIMIT = 10_000;

export interface ListRequest {
  organizationId: string;
  category: string | null;
  sort: string;
  descending: boolean;
  limit: number;
  format: "json" | "csv";
}

/** @throws HttpError 400 */
export function readListRequest({ query }: Call): ListRequest {
  const organizationId = query.get("organizationId");
  if (organizationId === null || organizationId === "") throw new HttpError(400, "needs ?organizationId=");
  const sort = query.get("sort") ?? "id";
  if (!(sort in SORTABLE)) throw new HttpError(400, `sort must be one of ${Object.keys(SORTABLE).join(", ")}`);
  const format = query.get("format") === "csv" ? "csv" : "json";
  const most = format === "csv" ? EXPORT_LIMIT : LIST_LIMIT;
  const limit = Math.min(most, Math.max(1, Number(query.get("limit") ?? most) || most));
  return { organizationId, category: query.get("category"), sort, descending: query.get("order") === "desc", limit, format };
}

export function listRecords(database: Database, request: ListRequest): Promise<PfaRecord[]> {
  const values: unknown[] = [request.organizationId, request.limit];
  if (request.category !== null) values.push(request.category);
  return database.read<PfaRecord>(
    `SELECT ${COLUMNS} FROM pfa_records r WHERE organization_id = $1 ${request.category === null ? "" : "AND category = $3"}
     ORDER BY ${SORTABLE[request.sort] ?? "r.id"} ${request.descending ? "DESC" : "ASC"}, r.id LIMIT $2`,
    values,
  );
}

/** What a request may set. */
export interface RecordFields {
  category?: string;
  description?: string;
  monthlyRate?: number;
  durationMonths?: number;
}

/** @throws HttpError 400 */
export function readFields({ body }: Call): RecordFields {
  const fields: RecordFields = {};
  for (const key of ["category", "description"] as const) {
    const value = body[key];
    if (value === undefined) continue;
    if (typeof value !== "string") throw new HttpError(400, `${key} must be text`);
    fields[key] = value;
  }
  for (const key of ["monthlyRate", "durationMonths"] as const) {
    const value = body[key];
    if (value === undefined) continue;
    if (typeof value !== "number" || !Number.isFinite(value) || value < 0) throw new HttpError(400, `${key} must be a number of 0 or more`);
    fields[key] = value;
  }
  return fields;
}

/** @throws HttpError 400 */
export function readText({ body }: Call, key: string): string {
  const value = body[key];
  if (typeof value !== "string" || value === "") throw new HttpError(400, `${key} must be given`);
  return value;
}

export interface NewRecord extends RecordFields {
  organizationId: string;
  pfaId: string;
  category: string;
}

/** The new row; null where the `pfaId` is taken. */
export async function insertRecord(session: Session, record: NewRecord, createdBy: string): Promise<PfaRecord | null> {
  const { rows } = await session.query<PfaRecord>(
    `INSERT INTO pfa_records (pfa_id, organization_id, category, description, monthly_rate, duration_months, total_cost, created_by)
     VALUES ($1, $2, $3, $4, $5::numeric, $6::int, $5::numeric * $6::int, $7) ON CONFLICT (pfa_id) DO NOTHING RETURNING ${COLUMNS}`,
    [
      record.pfaId,
      record.organizationId,
      record.category,
      record.description ?? "",
      record.monthlyRate ?? 0,
      record.durationMonths ?? 0,
      createdBy,
    ],
  );
  return rows[0] ?? null;
}

export async function lockRecord(session: Session, pfaId: string): Promise<PfaRecord | null> {
  const { rows } = await session.query<PfaRecord>(`SELECT ${COLUMNS} FROM pfa_records WHERE pfa_id = $1 FOR UPDATE`, [pfaId]);
  return rows[0] ?? null;
}

export async function updateRecord(session: Session, pfaId: string, fields: RecordFields): Promise<PfaRecord> {
  const { rows } = await session.query<PfaRecord>(
    `UPDATE pfa_records SET category = coalesce($2, category), description = coalesce($3, description),
       monthly_rate = coalesce($4::numeric, monthly_rate), duration_months = coalesce($5::int, duration_months),
       total_cost = coalesce($4::numeric, monthly_rate) * coalesce($5::int, duration_months)
     WHERE pfa_id = $1 RETURNING ${COLUMNS}`,
    [pfaId, fields.category ?? null, fields.description ?? null, fields.monthlyRate ?? null, fields.durationMonths ?? null],
  );
  return rows[0]!;
}

export async function deleteRecord(session: Session, pfaId: string): Promise<void> {
  await session.query("DELETE FROM pfa_records WHERE pfa_id = $1", [pfaId]);
}

const CSV_FIELDS = ["pfaId", "organizationId", "category", "description", "monthlyRate", "durationMonths", "totalCost"] as const;

export function toCsv(records: PfaRecord[]): string {
  const cell = (value: string | number): string =>
    /[",\r\n]/.test(String(value)) ? `"${String(value).replaceAll('"', '""')}"` : String(value);
  return [CSV_FIELDS.join(","), ...records.map((record) => CSV_FIELDS.map((field) => cell(record[field])).join(","))].join("\r\n") + "\r\n";
}
