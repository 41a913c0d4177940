/** The embedded PostgreSQL server: made and started when absent or down, left running by every update, stopped by destroy, and removed with all it holds where that is said. */
import { serverOf } from "../../config/site.ts";
import type { SiteInputs } from "../../config/resources.ts";
import { ensureServer, leaveServer, observeServer } from "../../databases/embedded-server.ts";
import { foreignFailures } from "../foreign.ts";
import type { Call, Resource, Values } from "../resource.ts";
import { leavingOf } from "./leaving.ts";

async function ensure({ site }: SiteInputs, call: Call): Promise<Values> {
  const { port, version, pid } = await ensureServer(site, (line) => call.log("info", line));
  return { port, version, pid };
}

export const embeddedPostgres: Resource<SiteInputs> = {
  token: "backout:index:EmbeddedPostgres",
  check: async (inputs, old) => {
    const foreign = await foreignFailures(inputs.site, old?.site);
    if (foreign.length > 0) return { inputs, failures: foreign };
    const { state, port } = await observeServer(inputs.site);
    const declared = serverOf(inputs.site).port;
    if (state !== "running" || port === declared) return { inputs };
    const reason = `backout:server.port: the server runs on port ${port} and cannot move to ${declared} while it does; pin ${port}, or stop it first`;
    return { inputs, failures: [{ property: "site.server.port", reason }] };
  },
  diff: async (old, { site }) => {
    const { state, port } = await observeServer(site);
    const declared = serverOf(site).port;
    return state !== "running" || port !== declared || serverOf(old.site).port !== declared;
  },
  create: ensure,
  update: async (_old, inputs, call) => ensure(inputs, call),
  delete: async ({ site }) => leaveServer(site, await leavingOf(site)),
};
