/** What updates cost: a rollback against an update that changes nothing, and that against the one of an empty stack. */
import { join } from "node:path";
import { deployEdits, scopeEdits } from "../config/scope.ts";
import { endpointOf, liveName } from "../config/site.ts";
import { withSession } from "../databases/postgres/connection.ts";
import { accessTo } from "../test/support/access.ts";
import type { Measured } from "./results.ts";
import { untilStandby } from "./restore.ts";
import { benchStack, neutralEdits, type BenchStack, type StackSource } from "./stack.ts";
import { drillOf } from "../config/system/drill.ts";

export interface UpdateOptions {
  source: StackSource;
  rows: number;
  repetitions: number;
  say: (line: string) => void;
}

/** `pulumi up --yes`, with its preview, as a user types it. */
export async function measureUpdates({ source, rows, repetitions, say }: UpdateOptions): Promise<Measured[]> {
  const drill = drillOf(source.definition);
  const stack = await benchStack({ ...source, edits: neutralEdits(drill.to) });
  try {
    const empty = await benchStack({ ...source, edits: neutralEdits(drill.to), program: join(import.meta.dirname, "empty", "index.ts") });
    try {
      await empty.up();
      await stack.up({ preview: false });
      await seed(stack, rows);
      const [rollback, noop, nothing]: [number[], number[], number[]] = [[], [], []];
      for (let turn = 1; turn <= repetitions; turn++) {
        stack.pin(deployEdits(stack.definition, drill.from));
        await stack.up({ preview: false });
        await untilStandby(stack);
        stack.pin(rollbackEdits(stack, turn));
        rollback.push(await stack.up());
        await untilStandby(stack);
        noop.push(await stack.up());
        nothing.push(await empty.up());
        say(`  rollback ${rollback.at(-1)!.toFixed(2)} s, no-op ${noop.at(-1)!.toFixed(2)} s, empty stack ${nothing.at(-1)!.toFixed(2)} s`);
      }
      return [
        { name: "rollback-up", rows, against: "pulumi up that changes nothing", ours: rollback, peer: noop },
        { name: "noop-up", rows, against: "pulumi up of an empty stack", ours: noop, peer: nothing },
      ];
    } finally {
      await empty.remove();
    }
  } finally {
    await stack.remove();
  }
}

/** Every deployment takes a snapshot of its own: one more generation each turn. */
function rollbackEdits({ definition }: BenchStack, generation: number) {
  const [scope] = Object.entries(definition.scopes).find(([, { pins }]) => pins.data === "snapshot") ?? [definition.defaultScope];
  const snapshot = `before-${drillOf(definition).from}@${generation}`;
  const snapshots = Object.fromEntries(Object.keys(definition.databases).map((database) => [database, snapshot]));
  return scopeEdits(definition, { scope, to: drillOf(definition).to, snapshots, block: null });
}

async function seed({ site, definition }: BenchStack, rows: number): Promise<void> {
  const database = Object.keys(definition.databases)[0]!;
  await withSession(endpointOf(site), liveName(site, database), (client) => drillOf(definition).seed(accessTo(client), rows));
}
