/** WebSockets of v1.9.0. Has defects, which a drill switches on: alerts that are noted as sent and never are, and a death of its own. */
import { createSockets } from "../../../../kit/sockets.ts";
import { sendAlerts } from "../../../program/feed.ts";
import { MEMORY_LEAK, startComponent } from "../../../program/start.ts";

const WAIT_MS = 100;
const DEFECTS = ["broken-alerts", "websocket-crash", MEMORY_LEAK];

await startComponent("websocket-service", "v1.9.0", DEFECTS, ({ database, log, release, station, faults }) => {
  const sockets = createSockets({ path: "/ws", log, greeting: () => ({ type: "hello", version: release, station }) });
  return {
    work: [
      async () => {
        if (faults.isOn("websocket-crash")) process.exit(1);
        const send = faults.isOn("broken-alerts") ? sockets.connected : sockets.broadcast;
        return (await sendAlerts(database, send)) > 0 ? 0 : WAIT_MS;
      },
    ],
    attach: sockets.attach,
    stop: sockets.close,
  };
});
