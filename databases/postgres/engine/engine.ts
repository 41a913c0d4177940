/**
 * What a rollout does with a live PostgreSQL database: by renaming it, or in place where its server is declared so. What looks is loaded at once,
 * what changes anything when it is needed: every preview looks, and so does every update that has nothing to do.
 */
import { dumpFolder, liveName, serverOf } from "../../../config/site.ts";
import { derivedName } from "../../../config/names.ts";
import type { DatabaseEngine, InspectContext } from "../../engine.ts";
import { snapshotPlace } from "../../shared/snapshot-place.ts";
import { rowsAtRisk } from "./at-risk.ts";
import { leftBehind } from "./followers.ts";
import { foreign, giveBack } from "./foreign.ts";
import { settingsThatStay } from "./kept-settings.ts";
import { copyBytes, facts, lineage, liveBytes, refuseAllUnfenceable, requireRoom } from "./inspect.ts";
import type { renaming as Renaming } from "./renaming.ts";
import { openLive } from "./session.ts";

const nothing = (): Promise<void> => Promise.resolve();
const never = (): Promise<null> => Promise.resolve(null);
const looking = {
  foreign,
  leftBehind: async (...of: Parameters<typeof leftBehind>) => [...(await leftBehind(...of)), ...(await settingsThatStay(...of))],
  giveBack,
  facts,
  lineage,
  refuseUnfenceable: refuseAllUnfenceable,
  refuseRestore: nothing,
  noStandbyBecause: never,
  requireRoom,
  liveBytes,
  copyBytes,
  rowsAtRisk,
  openLive,
};

/** Where a copy lies: a database beside the live one, or files at the stack's home. */
function snapshotLocation({ site }: InspectContext, database: string, name: string, generation: number): string {
  const live = liveName(site, database);
  const suffix = `_${snapshotPlace(name, generation)}`;
  switch (serverOf(site).driver) {
    case "in-place":
      return dumpFolder(site, derivedName(live, suffix));
    case "dump":
      return dumpFolder(site, `${live}${suffix}`);
    case "template":
      return derivedName(live, `${suffix}_pristine`);
  }
}

const isInPlace = ({ site }: Pick<InspectContext, "site">): boolean => site.server?.driver === "in-place";
const renaming = async () => (await import("./renaming.ts")).renaming;
const inPlace = async () => (await import("../../in-place/engine/engine.ts")).inPlace;

type Methods = Awaited<ReturnType<typeof inPlace>>;

/** A method by the driver of the site it is asked for. */
function byDriver<K extends keyof Methods>(method: K, otherwise: () => Promise<Partial<Methods>>): Methods[K] {
  const chosen = async (...given: unknown[]): Promise<unknown> => {
    const methods: Partial<Methods> = isInPlace(given[0] as InspectContext) ? await inPlace() : await otherwise();
    return (methods[method] as (...same: unknown[]) => unknown)(...given);
  };
  return chosen as Methods[K];
}

const looks = <K extends keyof typeof looking>(method: K): Methods[K] => byDriver<K>(method, () => Promise.resolve(looking));
const changes = <K extends keyof typeof Renaming>(method: K): Methods[K] => byDriver<K>(method, renaming);

export const postgres: DatabaseEngine = {
  name: "postgres",
  load: (at) => (isInPlace(at) ? inPlace() : renaming()),
  facts: looks("facts"),
  lineage: looks("lineage"),
  refuseUnfenceable: looks("refuseUnfenceable"),
  refuseRestore: looks("refuseRestore"),
  noStandbyBecause: looks("noStandbyBecause"),
  requireRoom: looks("requireRoom"),
  liveBytes: looks("liveBytes"),
  copyBytes: looks("copyBytes"),
  rowsAtRisk: looks("rowsAtRisk"),
  ensureServices: changes("ensureServices"),
  foreign: looks("foreign"),
  leftBehind: looks("leftBehind"),
  giveBack: looks("giveBack"),
  keepProperties: changes("keepProperties"),
  close: changes("close"),
  admit: changes("admit"),
  openLive: looks("openLive"),
  rowsSince: changes("rowsSince"),
  driver: ({ site }) => serverOf(site).driver,
  snapshotLocation,
  takeSnapshot: changes("takeSnapshot"),
  removeSnapshot: changes("removeSnapshot"),
  snapshotProblems: changes("snapshotProblems"),
  makeStandby: changes("makeStandby"),
  inSnapshot: changes("inSnapshot"),
  inCopy: changes("inCopy"),
  fileOfCopy: () => null,
  dropCopy: changes("dropCopy"),
  make: changes("make"),
  cutOver: changes("cutOver"),
  migrate: changes("migrate"),
  exportReplaced: changes("exportReplaced"),
  exportSince: changes("exportSince"),
  putBack: changes("putBack"),
};
