/** Names that several parts of the definition, and tests, refer to. */
export const SYNC_FLAG = "bi_directional_sync";
export const SYNC_MIGRATION = "20251128000003_phase4_bidirectional_sync_infrastructure";
export const SYNC_TABLES = ["pfa_write_queue", "pfa_sync_conflict"];
export const DROP_SYNC_TABLES = "drop-sync-tables";
/** Banner of partial A. */
export const SYNC_DISABLED = "Sync temporarily disabled. Read-only mode.";
