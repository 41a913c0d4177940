import type { CheckContext } from "../../../config/system/check.ts";
import { burst } from "../api.ts";
import type { Burst } from "../../kit/client.ts";
import { isCritical } from "../../kit/log.ts";
import { session } from "./session.ts";

const WIDTH = 4;

export interface Sample extends Burst {
  /** New critical lines of the error log. */
  alerts: number;
  /** Null: one process answered from the first request to the last. */
  interrupted: string | null;
  pid: number | null;
}

const samples = new WeakMap<CheckContext, Promise<Sample>>();

/** The backend under load: sampled once for all checks of a run. @throws AnswerError */
export function sample(context: CheckContext, requests: number): Promise<Sample> {
  const taken = samples.get(context) ?? take(context, requests);
  samples.set(context, taken);
  return taken;
}

async function take(context: CheckContext, requests: number): Promise<Sample> {
  const criticalLines = async (): Promise<number> => (await context.errorLog("backend", 100)).filter(isCritical).length;
  const before = await context.observe("backend");
  const linesBefore = await criticalLines();
  const answers = await burst(context, await session(context), requests, WIDTH);
  const { running, pid } = await context.observe("backend");
  const interrupted = !running || pid !== before.pid ? "the backend was restarted or ended while it was watched" : null;
  return { ...answers, alerts: Math.max(0, (await criticalLines()) - linesBefore), interrupted, pid };
}
