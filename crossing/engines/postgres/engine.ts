/** What a crossing does with a live PostgreSQL database: by renaming it, or in place where its server is declared so. */
import { serverOf } from "../../../declared/site.ts";
import type { DatabaseEngine, Looking } from "../../engine.ts";
import { inPlace } from "../in-place/engine.ts";
import { arm, dropCopy, inQuarantine, inSnapshot } from "./arming.ts";
import { rowsAtRisk, rowsSince } from "./at-risk.ts";
import { cutOver, exportReplaced, exportSince, make, migrate, putBack } from "./data.ts";
import { admit, close, keepProperties } from "./fence.ts";
import { copyBytes, facts, lineage, liveBytes, refuseAllUnfenceable, requireRoom } from "./looking.ts";
import { openLive } from "./session.ts";
import { removeSnapshot, snapshotLocation, takeSnapshot } from "./snapshots.ts";

/** Databases that backout may rename: copies lie beside the live one. */
const renaming: DatabaseEngine = {
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
  inCopy: inQuarantine,
  fileOfCopy: () => null,
  dropCopy,
  make,
  cutOver,
  migrate,
  exportReplaced,
  exportSince,
  putBack,
};

/** Each method by the driver of the site it is asked for. */
function byDriver<K extends Exclude<keyof DatabaseEngine, "name">>(method: K): DatabaseEngine[K] {
  const chosen = (...given: unknown[]): unknown => {
    const { site } = given[0] as Pick<Looking, "site">;
    const engine = site.server?.driver === "in-place" ? inPlace : renaming;
    return (engine[method] as (...same: unknown[]) => unknown)(...given);
  };
  return chosen as DatabaseEngine[K];
}

const METHODS = Object.keys(renaming).filter((key) => key !== "name") as Exclude<keyof DatabaseEngine, "name">[];

export const postgres = { name: "postgres", ...Object.fromEntries(METHODS.map((method) => [method, byDriver(method)])) } as DatabaseEngine;
