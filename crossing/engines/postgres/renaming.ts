/** What changes databases that backout may rename: copies lie beside the live one. */
import { arm, dropCopy, inQuarantine, inSnapshot } from "./arming.ts";
import { rowsSince } from "./at-risk.ts";
import { cutOver, exportReplaced, exportSince, make, migrate, putBack } from "./data.ts";
import { admit, close, keepProperties } from "./fence.ts";
import { removeSnapshot, snapshotProblems, takeSnapshot } from "./snapshots.ts";

export const renaming = {
  keepProperties,
  close,
  admit,
  rowsSince,
  takeSnapshot,
  removeSnapshot,
  snapshotProblems,
  arm,
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
