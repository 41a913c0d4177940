/** What a definition of a system is made of. */
export type * from "./check.ts";
export type * from "./definition.ts";
export type * from "./drill.ts";
export type * from "./traffic.ts";
