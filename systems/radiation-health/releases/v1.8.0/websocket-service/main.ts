/** WebSockets of v1.8.0. */
import { createSockets } from "../../../../kit/sockets.ts";
import { sendAlerts } from "../../../program/feed.ts";
import { startComponent } from "../../../program/start.ts";

const WAIT_MS = 100;

await startComponent("websocket-service", "v1.8.0", [], ({ database, log, release, station }) => {
  const sockets = createSockets({ path: "/ws", log, greeting: () => ({ type: "hello", version: release, station }) });
  return {
    work: [async () => ((await sendAlerts(database, (alert) => sockets.broadcast(alert))) > 0 ? 0 : WAIT_MS)],
    attach: sockets.attach,
    stop: sockets.close,
  };
});
