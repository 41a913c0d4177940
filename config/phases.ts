/**
 * The path of one update, in order. Every resource that works belongs to one of these; the kill tests walk this list.
 *
 *     plan → fence → snapshot → data → install → resume → verify → open → record
 */
export const PHASES = ["plan", "fence", "snapshot", "data", "install", "resume", "verify", "open", "record"] as const;
export type Phase = (typeof PHASES)[number];
