/** What every ledger of migrations keeps. */

/** Which tool's ledger the system keeps: `prisma` is the table `_prisma_migrations` in `public`, `supabase` is `supabase_migrations.schema_migrations`; `backout` is for SQLite files only. */
export type Ledger = "prisma" | "supabase" | "backout";

export interface LedgerRow {
  id: string;
  checksum: string;
  name: string;
  logs: string | null;
  startedAt: Date;
  finishedAt: Date | null;
  rolledBackAt: Date | null;
  appliedSteps: number;
}
