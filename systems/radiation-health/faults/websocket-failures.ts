import type { FaultDefinition } from "../../../config/system/drill.ts";
import { FEED, listen } from "../api.ts";
import { switchOn } from "./switch.ts";

export const webSocketFailures: FaultDefinition = {
  title: "The WebSocket service crashes: all clients lose their connection, and none can connect",
  scope: "service",
  service: FEED,
  switchOn: (context) => switchOn(context, FEED, "websocket-crash"),
  probe: async (context) => {
    const refused = await listen(context).then(
      (listener) => (listener.close(), null),
      (error: Error) => error.message,
    );
    if (refused === null) return null;
    const { running } = await context.observe(FEED);
    return `${refused}; ${FEED} ${running ? "runs" : "does not run"}`;
  },
};
