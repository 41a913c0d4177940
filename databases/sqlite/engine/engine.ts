/** What a rollout does with a live SQLite file. */
import type { DatabaseEngine } from "../../engine.ts";
import { makeStandby, dropCopy, fileOfCopy, inCopy, inSnapshot, snapshotProblems } from "./standby.ts";
import {
  cutOver,
  exportReplaced,
  exportSince,
  make,
  migrate,
  putBack,
  removeSnapshot,
  rowsAtRisk,
  rowsSince,
  snapshotLocation,
  takeSnapshot,
} from "./data.ts";
import { admit, close, keepProperties, openLive } from "./fence.ts";
import { copyBytes, facts, lineage, liveBytes, refuseUnfenceable, requireRoom } from "./inspect.ts";

export const sqlite: DatabaseEngine = {
  name: "sqlite",
  facts,
  lineage,
  refuseUnfenceable,
  // A file takes another's place whatever is in it.
  refuseRestore: () => Promise.resolve(),
  noStandbyBecause: () => Promise.resolve(null),
  requireRoom,
  liveBytes,
  copyBytes,
  rowsAtRisk,
  // Files have no roles, and nobody but the process that closes one keeps it closed.
  foreign: () => Promise.resolve([]),
  leftBehind: () => Promise.resolve([]),
  giveBack: () => Promise.resolve(),
  ensureServices: () => Promise.resolve(),
  keepProperties,
  close,
  admit,
  openLive,
  rowsSince,
  load: () => Promise.resolve(),
  driver: () => "backup",
  snapshotLocation,
  takeSnapshot,
  removeSnapshot,
  snapshotProblems,
  makeStandby,
  inSnapshot,
  inCopy,
  fileOfCopy,
  dropCopy,
  make,
  cutOver,
  migrate,
  exportReplaced,
  exportSince,
  putBack,
};
