/**
 * A PostgreSQL database that can be neither renamed nor left: hosted ones. A restore replaces its content in one transaction, and users wait
 * meanwhile. Copies are dumps, read on a server of backout's own.
 */
import type { DatabaseEngine } from "../../engine.ts";
import * as inspect from "./inspect.ts";

export const inPlace: DatabaseEngine = {
  inPlace: true,
  inspect,
  fence: () => import("./fence.ts"),
  copies: () => import("./copies.ts"),
  data: () => import("./data.ts"),
  adoption: () => import("./adoption.ts"),
  constraints: () => import("../../postgres/engine/constraints.ts"),
  actions: () => import("../../postgres/engine/actions.ts"),
};
