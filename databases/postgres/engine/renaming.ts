/** What changes databases that backout may rename: copies lie beside the live one. */
import { makeStandby, dropCopy, inQuarantine, inSnapshot } from "./standby.ts";
import { rowsSince } from "./at-risk.ts";
import { cutOver, exportReplaced, exportSince, make, migrate, putBack } from "./data.ts";
import { admit, close, keepProperties } from "./fence.ts";
import type { StateStore } from "../../../config/record.ts";
import type { InspectContext } from "../../engine.ts";
import { ensureServices } from "./roles.ts";
import { clientOf } from "./session.ts";
import { removeSnapshot, snapshotProblems, takeSnapshot } from "./snapshots.ts";

export const renaming = {
  ensureServices: ({ site, state }: InspectContext & { state: StateStore }) => ensureServices(site, clientOf(state)),
  keepProperties,
  close,
  admit,
  rowsSince,
  takeSnapshot,
  removeSnapshot,
  snapshotProblems,
  makeStandby,
  inSnapshot,
  inCopy: inQuarantine,
  dropCopy,
  make,
  cutOver,
  migrate,
  exportReplaced,
  exportSince,
  putBack,
};
