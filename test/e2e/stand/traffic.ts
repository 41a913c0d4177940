/** The system as its users see it, through the gate. */
import { gateStateFile, secretOf } from "../../../config/site.ts";
import { listPath, ORGANIZATION, TEST_USER, TEST_USER_SECRET } from "../../../systems/pfa-vanguard/api.ts";
import { readGateState, type GateState } from "../../../traffic/state.ts";
import type { Base } from "./base.ts";

export function trafficOf({ site }: Base) {
  const url = (service: string): string => `http://127.0.0.1:${site.ports[service]}`;
  const ask = (path: string, init: RequestInit = {}, service = "backend"): Promise<Response> =>
    fetch(`${url(service)}${path}`, { signal: AbortSignal.timeout(5_000), ...init });
  const login = async (): Promise<string> => {
    const response = await ask("/api/auth/login", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ username: TEST_USER, password: secretOf(site, TEST_USER_SECRET) }),
    });
    if (response.status !== 200) throw new Error(`login answered ${response.status}: ${await response.text()}`);
    return ((await response.json()) as { token: string }).token;
  };
  const insert = async (token: string, id: string, description = "written by a test"): Promise<Response> => {
    const response = await ask("/api/pfa-data", {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${token}` },
      body: JSON.stringify({
        organizationId: ORGANIZATION,
        pfaId: id,
        category: "Equipment",
        description,
        monthlyRate: 100,
        durationMonths: 2,
      }),
    });
    return response;
  };
  return {
    url,
    ask,
    login,
    insert,
    /** Inserts and insists on the acknowledgement. */
    insertWell: async (...ids: string[]): Promise<void> => {
      const token = await login();
      for (const id of ids) {
        const response = await insert(token, id);
        if (response.status !== 200) throw new Error(`${id} was answered ${response.status}: ${await response.text()}`);
        await response.arrayBuffer();
      }
    },
    update: async (id: string, description: string): Promise<void> => {
      const response = await ask(`/api/pfa-data/${id}`, {
        method: "PUT",
        headers: { "content-type": "application/json", authorization: `Bearer ${await login()}` },
        body: JSON.stringify({ description }),
      });
      if (response.status !== 200) throw new Error(`${id} was answered ${response.status}`);
    },
    /** Every row's id, in order: from the export, because a list is cut off. */
    ids: async (): Promise<string[]> => {
      const response = await ask(listPath({ sort: "pfaId", format: "csv" }), { headers: { authorization: `Bearer ${await login()}` } });
      if (response.status !== 200) throw new Error(`the export was answered ${response.status}`);
      const [header, ...lines] = (await response.text()).trim().split(/\r?\n/);
      const column = header!.split(",").indexOf("pfaId");
      return lines.map((line) => line.split(",")[column]!.replaceAll('"', ""));
    },
    /** Release of the backend that answers; null where none does or users are kept out. */
    version: async (): Promise<string | null> => {
      const response = await ask("/health").catch(() => null);
      return response?.status === 200 ? ((await response.json()) as { version: string }).version : null;
    },
    frontendVersion: async (): Promise<string> =>
      ((await (await ask("/version.json", {}, "frontend")).json()) as { version: string }).version,
    gate: (): GateState | null => readGateState(gateStateFile(site)),
  };
}
