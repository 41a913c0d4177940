/** Swaps that were interrupted: what is true in between, and how they are brought to an end. */
import { fileCatalogue } from "../state/file-catalogue.ts";
import type { StateStore } from "../../../config/record.ts";
import type { Site } from "../../../config/site.ts";
import { identityOf } from "../identity.ts";
import { progressOf, StrangerInPlaceError, undoSwap } from "../swap.ts";
import { NO_LINEAGE, type Lineage } from "../../../config/plan.ts";
import { fileOf, livePath } from "./places.ts";

/** What is known of the file that bears the live name now. In the middle of a swap the live file may bear no name: it exists all the same. */
export function liveState(site: Site, state: StateStore | null, database: string): { exists: boolean; lineage: Lineage } {
  const identity = identityOf(livePath(site, database));
  if (state === null) return { exists: identity !== null, lineage: NO_LINEAGE };
  const db = fileOf(state);
  const swap = fileCatalogue.begunSwap(db, database);
  if (swap !== null) {
    const progress = progressOf(swap);
    if (progress === "swapped") return { exists: true, lineage: swap.newLineage };
    if (progress === "set aside") return { exists: true, lineage: swap.oldLineage };
  }
  if (identity === null) return { exists: false, lineage: NO_LINEAGE };
  return { exists: true, lineage: fileCatalogue.lineageOf(db, identity) ?? NO_LINEAGE };
}

/** Whether this stack has made or taken over what is live. */
export async function isOwn(state: StateStore, site: Site, database: string): Promise<boolean> {
  if ((await state.lastOpenRollout()) !== null) return true;
  const identity = identityOf(livePath(site, database));
  return identity !== null && fileCatalogue.lineageOf(fileOf(state), identity) !== null;
}

/**
 * Ends a swap that a kill interrupted: one that reached the live name is entered in the catalogue, one that did not is undone, so that the
 * pinned change begins from a whole state. @throws StrangerInPlaceError
 */
export function settle(state: StateStore, database: string): "nothing" | "finished" | "undone" {
  const db = fileOf(state);
  const swap = fileCatalogue.begunSwap(db, database);
  if (swap === null) return "nothing";
  switch (progressOf(swap)) {
    case "swapped":
      fileCatalogue.finishSwap(db, swap);
      return "finished";
    case "set aside":
      undoSwap(swap);
      fileCatalogue.dropSwap(db, database);
      return "undone";
    case "not begun":
      fileCatalogue.dropSwap(db, database);
      return "nothing";
    case "strange":
      throw new StrangerInPlaceError(swap);
  }
}
