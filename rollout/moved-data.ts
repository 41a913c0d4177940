/** Which rollout moved the data that is opened now: this one, or one before it that never opened and whose work this one goes on with. */
import type { DataAction } from "../config/plan.ts";
import type { Run } from "../config/run.ts";

/** How many failed rollouts in a row are looked back over. */
const LOOK_BACK = 20;

export interface Moved {
  epoch: number;
  action: DataAction;
}

export async function movedData(run: Pick<Run, "state" | "epoch">, database: string): Promise<Moved> {
  const rollouts = (await run.state.rollouts(LOOK_BACK)).filter(({ epoch }) => epoch <= run.epoch).sort((a, b) => b.epoch - a.epoch);
  const own = rollouts[0]?.plan.databases[database]?.action ?? { kind: "none" };
  if (own.kind !== "none") return { epoch: run.epoch, action: own };
  for (const { epoch, openedAt, state, plan } of rollouts.slice(1)) {
    if (openedAt !== null || state === "open" || state === "refused") break;
    const action = plan.databases[database]?.action;
    if (action !== undefined && action.kind !== "none" && action.kind !== "create") return { epoch, action };
  }
  return { epoch: run.epoch, action: own };
}
