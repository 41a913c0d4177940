import { check, failed, passed } from "../../kit/outcome.ts";

/** An absence check: a worker of the newer release would continue to write to PEMS. */
export const workerStopped = check("worker-stopped", "The sync worker runs or stays stopped, as declared", async (context) => {
  const { running, release, pid } = await context.observe("worker");
  const declared = context.running["worker"] !== false;
  if (running && !declared)
    return failed(`the worker is declared off, but ${release ?? "an unknown release"} runs as process ${pid ?? "?"}`);
  if (!running && declared) return failed(`the worker is declared to run ${context.releases["worker"] ?? "?"}, but does not run`);
  if (running && release !== context.releases["worker"])
    return failed(`the worker runs ${release ?? "an unknown release"}, declared is ${context.releases["worker"] ?? "?"}`);
  return passed(running ? `runs ${release ?? "?"} as process ${pid ?? "?"}` : "stopped");
});
