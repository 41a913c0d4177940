import type { FaultDefinition } from "../../../config/system/drill.ts";
import { FEED } from "../api.ts";
import { brokenLink, tryChain, type Trial } from "../chain.ts";
import { DATABASE } from "../database.ts";
import { accessOf } from "../../kit/fault-switch.ts";
import { switchOn } from "./switch.ts";

const TRIAL: Trial = { marker: "TEST-DRILL", note: "written by a drill, removed by it", limitMs: 3_000 };

export const brokenAlerts: FaultDefinition = {
  title: "Alerts are marked as sent, but no client receives them: as severe as an outage",
  scope: "emergency",
  switchOn: (context) => switchOn(context, FEED, "broken-alerts"),
  probe: async (context) => brokenLink(await tryChain(accessOf(context), await context.database(DATABASE), TRIAL)),
};
