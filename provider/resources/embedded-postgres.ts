/** The embedded PostgreSQL server: made and started when absent or down, left running by every update, stopped and removed by destroy. */
import { EMBEDDED_USER, serverHome, type Site } from "../../declared/site.ts";
import { ensureServer, observeServer, removeServer } from "../../postgres/server.ts";
import type { Call, Resource, Values } from "../resource.ts";

interface Inputs {
  site: Site;
}

async function ensure({ site }: Inputs, call: Call): Promise<Values> {
  const { port, version, pid } = await ensureServer({
    home: serverHome(site),
    port: site.server.port,
    superuser: EMBEDDED_USER,
    log: (line) => call.log("info", line),
  });
  return { port, version, pid };
}

export const embeddedPostgres: Resource<Inputs> = {
  token: "backout:index:EmbeddedPostgres",
  check: async (inputs) => {
    const { state, port } = observeServer(serverHome(inputs.site));
    const declared = inputs.site.server.port;
    if (state !== "running" || port === declared) return Promise.resolve({ inputs });
    const reason = `backout:server.port: the server runs on port ${port} and cannot move to ${declared} while it does; pin ${port}, or stop it first`;
    return Promise.resolve({ inputs, failures: [{ property: "site.server.port", reason }] });
  },
  diff: async (old, { site }) => {
    const { state, port } = observeServer(serverHome(site));
    return Promise.resolve(state !== "running" || port !== site.server.port || old.site.server.port !== site.server.port);
  },
  create: ensure,
  update: async (_old, inputs, call) => ensure(inputs, call),
  delete: async ({ site }) => void (await removeServer(serverHome(site))),
};
