import { check, failed, passed } from "../../kit/outcome.ts";
import { FEED, listen } from "../api.ts";

export const webSocket = check("websocket", "A client connects by WebSocket, through the gate, and is greeted", async (context) => {
  const listener = await listen(context);
  listener.close();
  const { type, version } = listener.greeting;
  const declared = context.releases[FEED] ?? "none";
  if (type !== "hello" || version !== declared) return failed(`greeted with "${type}" by ${version}, declared is ${declared}`);
  return passed(`connected and greeted by ${version}`);
});
