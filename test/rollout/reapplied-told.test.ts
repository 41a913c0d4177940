/** What every verb, the history and `--json` tell of rows that were put back, and the update's own log. */
import { expect, test } from "vitest";
import { reappliedBy, reappliedKey } from "../../rollout/steps/reapply.ts";
import { LARGE_OBJECTS } from "../../databases/shared/not-compared.ts";
import type { SystemDefinition } from "../../config/system/definition.ts";
import { keeping } from "./memory.ts";

test("large objects that changed since are told as not put back, and where they are", async () => {
  const state = keeping();
  const definition = { databases: { shop: {} } } as unknown as SystemDefinition;
  const notHeld = { tables: { [LARGE_OBJECTS]: 3, visits: 1 }, columns: {} };
  await state.keepFirst(reappliedKey(7, "shop"), { tables: {}, notHeld, conflicts: 0, conflictFile: null, counts: {} });
  const [told] = await reappliedBy({ state, definition } as never, 7);
  expect(told!.notHeld).toEqual(notHeld);
  expect(told!.leftOut).toEqual([
    "shop: large objects are not put back: 3 pieces of 64 KB that changed since are in the export and the quarantine only",
    "1 row of shop: visits is in the export only: the restored schema cannot hold the table",
  ]);
});
