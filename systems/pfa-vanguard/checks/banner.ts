import { AnswerError } from "../../kit/client.ts";
import { askingCheck, failed, passed, skipped } from "../../kit/outcome.ts";

interface Shown {
  mode?: string;
  message?: string;
}

/** The banner on top of the page. */
export const banner = askingCheck("banner", "The page shows the declared maintenance message", async (context) => {
  const site = context.url("frontend");
  const response = await context.fetch(`${site}/__backout/maintenance`);
  const text = await response.text();
  if (response.status !== 200) throw new AnswerError("GET /__backout/maintenance", response.status, text);
  const shown = JSON.parse(text) as Shown;
  const { mode, message } = context.maintenance;
  if (mode !== "full" && shown.mode === "full") {
    const gate = (await (await context.fetch(`${site}/__backout/gate`)).json().catch(() => ({}))) as { mode?: string };
    if (gate.mode === "closed") return skipped("users are kept out until verification has passed: they see that message");
  }
  if (mode === "off" && shown.mode === "read-only" && !context.open)
    return skipped("users cannot write until verification has passed: they see the former message");
  if (shown.mode !== mode) return failed(`the page shows mode ${shown.mode ?? "none"}, declared is ${mode}`);
  if (mode !== "off" && message !== "" && shown.message !== message)
    return failed(`the page shows "${shown.message ?? ""}", declared is "${message}"`);
  return passed(mode === "off" ? "no maintenance" : `${mode}: "${shown.message ?? ""}"`);
});
