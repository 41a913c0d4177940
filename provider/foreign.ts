/** Whether the stack lives here and its record is its own: asked once a process, before anything of it is made or started. */
import { ForeignStackError, requireHome } from "../state/identity.ts";
import { openState } from "../databases/open-state.ts";
import { definitionOf, type Site } from "../config/site.ts";

const asked = new Map<string, Promise<string | null>>();

/** @param before where it lived when it was last deployed */
export async function foreignFailures(site: Site, before?: Site): Promise<{ property: string; reason: string }[]> {
  const key = JSON.stringify([site, before]);
  const asking = asked.get(key) ?? ask(site, before);
  asked.set(key, asking);
  const reason = await asking;
  return reason === null ? [] : [{ property: "", reason }];
}

/** A record that cannot be reached is reported where the data is needed. */
async function ask(site: Site, before?: Site): Promise<string | null> {
  try {
    requireHome(site, before);
    await (await openState(site, await definitionOf(site)))?.end();
    return null;
  } catch (error) {
    return error instanceof ForeignStackError ? error.message : null;
  }
}
