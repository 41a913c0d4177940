/** A SQLite file: its copies are files beside it. */
import type { DatabaseEngine } from "../../engine.ts";
import * as inspect from "./inspect.ts";

export const sqlite: DatabaseEngine = {
  inPlace: false,
  inspect,
  fence: () => import("./fence.ts"),
  copies: () => import("./copies.ts"),
  data: () => import("./data.ts"),
  adoption: () => import("./adoption.ts"),
};
