/** What a crossing does with a live PostgreSQL database. */
import { serverOf } from "../../../declared/site.ts";
import type { DatabaseEngine } from "../../engine.ts";
import { arm, dropCopy, inSnapshot } from "./arming.ts";
import { rowsAtRisk, rowsSince } from "./at-risk.ts";
import { cutOver, exportSince, make, migrate } from "./data.ts";
import { admit, close, keepProperties } from "./fence.ts";
import { copyBytes, facts, lineage, liveBytes, refuseAllUnfenceable, requireRoom } from "./looking.ts";
import { openLive } from "./session.ts";
import { removeSnapshot, snapshotLocation, takeSnapshot } from "./snapshots.ts";

export const postgres: DatabaseEngine = {
  name: "postgres",
  facts,
  lineage,
  refuseUnfenceable: refuseAllUnfenceable,
  requireRoom,
  liveBytes,
  copyBytes,
  rowsAtRisk,
  keepProperties,
  close,
  admit,
  openLive,
  rowsSince,
  driver: ({ site }) => serverOf(site).driver,
  snapshotLocation,
  takeSnapshot,
  removeSnapshot,
  arm,
  inSnapshot,
  dropCopy,
  make,
  cutOver,
  migrate,
  exportSince,
};
