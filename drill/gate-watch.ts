/** Samples the traffic gate from outside during a rollback. */
import { setTimeout as sleep } from "node:timers/promises";

export interface GateSample {
  /** Wall clock when the answer was there, milliseconds. */
  at: number;
  /** Null: no valid answer. */
  mode: string | null;
}

const EVERY_MS = 50;

/** Samples until `stop` is called, which resolves with everything seen. */
export function watchGate(baseUrl: string): { stop(): Promise<GateSample[]> } {
  const samples: GateSample[] = [];
  let going = true;
  const work = (async () => {
    while (going) {
      const mode = await lookOnce(baseUrl);
      samples.push({ at: Date.now(), mode });
      await sleep(EVERY_MS);
    }
  })();
  return {
    stop: async () => {
      going = false;
      await work;
      return samples;
    },
  };
}

async function lookOnce(baseUrl: string): Promise<string | null> {
  try {
    const response = await fetch(`${baseUrl}/__backout/gate`, { signal: AbortSignal.timeout(1000) });
    const { mode } = (await response.json()) as { mode?: unknown };
    return typeof mode === "string" ? mode : null;
  } catch {
    return null;
  }
}
