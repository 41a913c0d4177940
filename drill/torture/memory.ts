/** All rounds' writes at the end: what was acknowledged in any of them is in a database or an export of the stack. */
import { openState } from "../../databases/open-state.ts";
import { outsideOf } from "../outside.ts";
import type { Stage } from "../stage.ts";
import { readContent } from "../witness/content.ts";
import { linesOf } from "../witness/lines.ts";
import { readMemory } from "../witness/memory.ts";
import { drillOf } from "../../config/system/drill.ts";

/** Rows whose last write was acknowledged, and whose content is nowhere. */
export async function missingAtTheEnd(stage: Stage, journals: readonly string[], lastEpoch: number): Promise<string[]> {
  const { key, value } = drillOf(stage.definition).witness;
  const epochs = Array.from({ length: lastEpoch }, (_, index) => index + 1);
  const exported = await exportedContent(await exportsOf(stage, epochs), key, value);
  const outside = await outsideOf(stage);
  const places = (await Promise.all(epochs.map((epoch) => outside.quarantines(epoch)))).flat().map(({ place }) => place);
  const missing: string[] = [];
  await outside.withDoors(places, async () => {
    for (const journal of journals) {
      const memory = await readMemory(journal);
      const held = [];
      for (const place of [...Object.values(outside.live), ...places])
        held.push((await readContent(memory, outside.addressOf(place), "empty")).content);
      for (const [id, versions] of memory.rows) {
        const last = versions.at(-1);
        // A deleted row has no content to look for, and one in doubt promises nothing.
        if (last === undefined || last.ackAt === null || last.value === null) continue;
        if (!held.some((content) => content.get(id) === last.value) && !exported.has(`${id} ${last.value}`)) missing.push(id);
      }
    }
  });
  return missing;
}

export async function exportsOf({ site, definition }: Stage, epochs: readonly number[]): Promise<string[]> {
  const state = await openState(site, definition);
  if (state === null) return [];
  try {
    const files = [];
    for (const epoch of epochs) files.push(...(await state.exports(epoch)));
    return files.map(({ path }) => path).filter((path) => path.endsWith(".jsonl"));
  } finally {
    await state.end();
  }
}

async function exportedContent(files: readonly string[], key: string, value: string): Promise<Set<string>> {
  const found = new Set<string>();
  for (const file of files)
    for await (const line of linesOf(file)) {
      if (!line.includes('"W-')) continue;
      const { row, before } = JSON.parse(line) as { row?: Record<string, unknown> | null; before?: Record<string, unknown> | null };
      for (const held of [row, before]) if (held != null) found.add(`${String(held[key])} ${String(held[value])}`);
    }
  return found;
}
