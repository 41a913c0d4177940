/** What every verb, the history and `--json` tell of rows that were put back, and the update's own log. */
import { expect, test } from "vitest";
import { reappliedBy, reappliedKey, rowsPutBack } from "../../rollout/steps/reapply.ts";
import { LARGE_OBJECTS } from "../../databases/shared/not-compared.ts";
import type { SystemDefinition } from "../../config/system/definition.ts";
import { keeping } from "./memory.ts";

test("what is not put back is told with where it is; rows that a restore brought back are not lost", async () => {
  const state = keeping();
  const definition = { databases: { shop: {} } } as unknown as SystemDefinition;
  const notHeld = { tables: { [LARGE_OBJECTS]: 3, visits: 1 }, columns: {}, dropped: { carts: 2 } };
  await state.keepFirst(reappliedKey(7, "shop"), { tables: {}, notHeld, conflicts: 0, conflictFile: null, counts: {} });
  const [told] = await reappliedBy({ state, definition } as never, 7);
  expect(told!.notHeld).toEqual(notHeld);
  expect(told!.leftOut).toEqual([
    "shop: large objects are not put back: 3 pieces of 64 KB that changed since are in the export and the quarantine only",
    "1 row of shop: visits is in the export only: the restored schema cannot hold the table",
    "shop: carts: the newer schema has no such table: its 2 rows stay as they were restored",
  ]);
  expect(await rowsPutBack({ state } as never, 7, "shop")).toBe(2);
});
