/** The originals of restrictions, in the state: held while a restriction stands, and those that were given back last. */
import type { StateStore } from "../config/record.ts";
import type { HeldProtection } from "../config/system/protection.ts";

export type OriginalsStore = Pick<StateStore, "keepFirst" | "kept" | "forget">;
export type Originals = HeldProtection["originals"];

export const heldKey = (id: string): string => `protection: ${id}`;
export const givenKey = (id: string): string => `protection given back: ${id}`;

/** What a protection holds, or held last. */
export async function originalsOf(keeping: OriginalsStore, id: string): Promise<HeldProtection | null> {
  const held = await keeping.kept<Originals>(heldKey(id));
  if (held !== null) return { restricted: true, originals: held };
  const given = await keeping.kept<Originals>(givenKey(id));
  return given === null ? null : { restricted: false, originals: given };
}
