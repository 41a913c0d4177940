/** What becomes of the data when the whole stack goes: asked once, before the first of its resources is deleted. */
import { destroyChoice, type DestroyChoice } from "../../rollout/destroy.ts";
import { definitionOf, type Site } from "../../config/site.ts";

const choices = new Map<string, Promise<DestroyChoice>>();

/** @throws DestroyRefusedError, DestroyChoiceError */
export function leavingOf(site: Site): Promise<DestroyChoice> {
  const known = choices.get(site.home) ?? definitionOf(site).then((definition) => destroyChoice(site, definition));
  choices.set(site.home, known);
  // Asked again it may be allowed.
  known.catch(() => choices.delete(site.home));
  return known;
}

export async function beforeDelete({ site }: { site: Site }): Promise<void> {
  await leavingOf(site);
}
