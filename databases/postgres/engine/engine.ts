/** A PostgreSQL database that backout may rename: its copies are databases beside it, or dumps. */
import type { DatabaseEngine } from "../../engine.ts";
import * as inspect from "./inspect.ts";

export const postgres: DatabaseEngine = {
  inPlace: false,
  inspect,
  fence: () => import("./fence.ts"),
  copies: () => import("./copies.ts"),
  data: () => import("./data.ts"),
  adoption: () => import("./adoption.ts"),
  constraints: () => import("./constraints.ts"),
  actions: () => import("./actions.ts"),
};
