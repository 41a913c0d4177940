/** Copies of a PostgreSQL database: snapshots by the declared driver, standby copies, quarantines. */
import { dumpFolder, liveName } from "../../../config/site.ts";
import { derivedName } from "../../../config/names.ts";
import type { InspectContext } from "../../engine.ts";
import { snapshotPlace } from "../../shared/snapshot-place.ts";
import { declaredDriver } from "./drivers.ts";

export { removeSnapshot, snapshotProblems, takeSnapshot } from "./snapshots.ts";
export { dropCopy, inCopy, inSnapshot, makeStandby } from "./standby.ts";

export const driver = ({ site }: InspectContext): string => declaredDriver(site);

/** A database beside the live one, or files at the stack's home. */
export function snapshotLocation({ site }: InspectContext, database: string, name: string, generation: number): string {
  const live = liveName(site, database);
  const suffix = `_${snapshotPlace(name, generation)}`;
  return declaredDriver(site) === "dump" ? dumpFolder(site, `${live}${suffix}`) : derivedName(live, `${suffix}_pristine`);
}

export const fileOfCopy = (): null => null;

export async function backUp(_run: unknown, database: string): Promise<never> {
  return Promise.reject(new Error(`${database} is no file: what was live is in the quarantine or in the snapshot taken first`));
}
