/**
 * The cut-over of a file: constant time at any size. The live file gets a second name in quarantine, then the replacement takes the live name in one
 * step, so there is always a file under it; where a file system knows no second names, two renames. Begun swaps are in the state file: the
 * process that finds one after a kill sees by the files' identities how far it came.
 */
import { chmodSync, chownSync, existsSync, linkSync, mkdirSync, renameSync, rmSync, statSync, unlinkSync } from "node:fs";
import { dirname } from "node:path";
import { syncFolder } from "../../processes/atomic-file.ts";
import { BESIDE, identityOf } from "./identity.ts";

export interface Names {
  live: string;
  replacement: string;
  quarantine: string;
  oldIdentity: string;
  newIdentity: string;
}

/** How far a swap came. */
export type Progress =
  /** No name was changed. */
  | "not begun"
  /** The live file is in quarantine, and its own name is still its own, or nobody's. */
  | "set aside"
  /** The replacement is live. */
  | "swapped"
  /** Neither file is where a swap would have put it. */
  | "strange";

/** Somebody put another file where the swap's files were. */
export class StrangerInPlaceError extends Error {
  readonly path: string;
  constructor(names: Names) {
    super(
      `a cut-over of ${names.live} was interrupted, and since then somebody put another file in its place. Nothing was changed: move that file away ` +
        `(what was live is ${existsSync(names.quarantine) ? names.quarantine : "not where it was set aside"}), then update the stack again`,
    );
    this.name = "StrangerInPlaceError";
    this.path = names.live;
  }
}

export function progressOf(names: Names): Progress {
  const [live, replacement, quarantine] = [identityOf(names.live), identityOf(names.replacement), identityOf(names.quarantine)];
  if (live === names.newIdentity && quarantine === names.oldIdentity) return "swapped";
  if (replacement !== names.newIdentity) return "strange";
  if (live === names.oldIdentity) return quarantine === null ? "not begun" : quarantine === names.oldIdentity ? "set aside" : "strange";
  return live === null && quarantine === names.oldIdentity ? "set aside" : "strange";
}

/** Gives the file mode and owner it must have before it is live. */
export interface Ownership {
  mode: number;
  uid: number;
  gid: number;
}

export function ownershipOf(path: string): Ownership {
  const { mode, uid, gid } = statSync(path);
  return { mode: mode & 0o7777, uid, gid };
}

/** Changes nothing where the file has them. */
export function giveOwnership(path: string, { mode, uid, gid }: Ownership): void {
  const now = ownershipOf(path);
  if (now.uid !== uid || now.gid !== gid) chownSync(path, uid, gid);
  if (now.mode !== mode) chmodSync(path, mode);
}

export interface SwapPoints {
  /** Called when a point is reached: tests hold a run there. */
  at?: (point: "before" | "set aside" | "renamed") => Promise<void>;
  /** Whether files may have two names. @default true */
  links?: boolean;
}

/** Live and everything beside it goes into quarantine, the replacement becomes live. Goes on from where an earlier attempt was. */
export async function swapFiles(names: Names, { at = async () => Promise.resolve(), links = true }: SwapPoints = {}): Promise<void> {
  await at("before");
  if (progressOf(names) === "not begun") setAside(names, links);
  await at("set aside");
  if (progressOf(names) === "set aside") {
    renameSync(names.replacement, names.live);
    syncFolder(dirname(names.live));
    syncFolder(dirname(names.replacement));
  }
  await at("renamed");
  if (progressOf(names) !== "swapped") throw new StrangerInPlaceError(names);
}

function setAside({ live, quarantine }: Names, links: boolean): void {
  mkdirSync(dirname(quarantine), { recursive: true, mode: 0o700 });
  // Empty or absent behind the fence; one that a stranger made must not be found by the replacement.
  for (const suffix of BESIDE) if (existsSync(live + suffix)) renameSync(live + suffix, quarantine + suffix);
  if (!links || !linked(live, quarantine)) renameSync(live, quarantine);
  syncFolder(dirname(quarantine));
}

/** False where the file system, or its rules on strangers' files, know no second name. */
function linked(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if (["EPERM", "ENOTSUP", "EOPNOTSUPP", "EMLINK", "ENOSYS"].includes((error as NodeJS.ErrnoException).code ?? "")) return false;
    throw error;
  }
}

/** Undoes a swap that set the live file aside and went no further. */
export function undoSwap({ live, quarantine, oldIdentity }: Names): void {
  if (identityOf(quarantine) !== oldIdentity) return;
  if (identityOf(live) === oldIdentity) unlinkSync(quarantine);
  else renameSync(quarantine, live);
  for (const suffix of BESIDE) {
    if (!existsSync(quarantine + suffix)) continue;
    if (statSync(quarantine + suffix).size > 0 && !existsSync(live + suffix)) renameSync(quarantine + suffix, live + suffix);
    else rmSync(quarantine + suffix, { force: true });
  }
  syncFolder(dirname(live));
  syncFolder(dirname(quarantine));
}
