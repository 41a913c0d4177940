import type { Client } from "pg";
import { comparePlanned, inSnapshots, type TableComparison } from "../../../databases/postgres/comparison.ts";
import { type OnDifference } from "../../../databases/shared/comparison.ts";
import { planTables, readShapes } from "../../../databases/postgres/comparison-shape.ts";

/** Compares one table. `onDifference` is awaited for every differing row. */
export async function compareTable(base: Client, current: Client, table: string, onDifference?: OnDifference): Promise<TableComparison> {
  return inSnapshots(base, current, async () => {
    const [plan] = planTables(await readShapes(base), await readShapes(current), [table]).plans;
    return comparePlanned(base, current, plan!, onDifference);
  });
}
