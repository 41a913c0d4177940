import { failed, passed, skipped, writingCheck } from "../../kit/outcome.ts";
import { brokenLink, tryChain, type Trial } from "../chain.ts";
import { DATABASE } from "../database.ts";

export const TRIAL: Trial = { marker: "TEST-VERIFICATION", note: "written by a verification, removed by it", limitMs: 10_000 };

/** As severe as an outage: without alerts people stay in a harmful place. */
export const alertChain = writingCheck(
  "alert-chain",
  "A file becomes a reading, an anomaly, and an alert that is received over the WebSocket",
  async (context) => {
    const off = Object.entries(context.running).filter(([, running]) => !running);
    if (off.length > 0) return skipped(`${off.map(([name]) => name).join(", ")} declared off: no alert is possible`);
    const found = await tryChain(context, await context.database(DATABASE), TRIAL);
    const broken = brokenLink(found);
    return broken === null ? passed(`received ${found.tookMs} ms after the upload; removed afterwards`) : failed(broken);
  },
);
