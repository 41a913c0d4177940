/**
 * The path of one update, in order. Every resource that works belongs to one of these; the kill tests walk this list.
 *
 *     plan → fence → snapshot → data → install → start → verify → open → finalize
 */
export const PHASES = ["plan", "fence", "snapshot", "data", "install", "start", "verify", "open", "finalize"] as const;
export type Phase = (typeof PHASES)[number];
