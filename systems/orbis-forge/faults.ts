/** What a drill breaks, each with the smallest restoration that repairs it. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { DrillContext, FaultDefinition } from "../../config/system/drill.ts";
import { readJson } from "../kit/client.ts";
import { asUser, inTurn, switchOf, written } from "../kit/fault-switch.ts";
import { burst, DATABASE, login, rows, slowAbove } from "./api.ts";

const switchOn = switchOf({ service: "app", release: "phase-3.0.0" });

const countIn = (context: DrillContext, from: string): number =>
  (context.sqlite(DATABASE).prepare(`SELECT count(*) AS rows FROM ${from}`).get() as { rows: number }).rows;

/** Shows while rows match, in words with their number for `#`. */
const counted = (words: string, from: string) => async (context: DrillContext) => {
  const rows = countIn(context, from);
  return Promise.resolve(rows > 0 ? words.replace("#", String(rows)) : null);
};

const OUT_OF_RANGE = "step_progress WHERE percent < 0 OR percent > 100";

export const FAULTS: Record<string, FaultDefinition> = {
  "data-corruption": {
    title: "Every write silently damages phases and steps of other projects",
    scope: "full",
    switchOn: inTurn(
      switchOn("data-corruption"),
      written({ service: "app", login }, "/api/projects", (code) => ({ code, name: "made by a drill" })),
    ),
    probe: async (context) => {
      const lost = countIn(context, "phases WHERE position < 0");
      const nonsense = countIn(context, OUT_OF_RANGE);
      return Promise.resolve(lost + nonsense > 0 ? `${lost} phases lost, ${nonsense} steps with an impossible progress` : null);
    },
  },
  "bad-inline-edits": {
    title: "Inline editing takes impossible values",
    scope: "selective",
    switchOn: inTurn(
      switchOn("bad-inline-edits"),
      asUser(login, async (access, token) => {
        for (const { id } of await rows<{ id: number }>(access, token, "/api/step-progress?limit=5"))
          await readJson(access, "app", token, `/api/inline/step-progress/${id}`, { method: "PATCH", body: { percent: 900 } });
      }),
    ),
    probe: counted("# steps with a progress outside 0 to 100", OUT_OF_RANGE),
    repairWith: async (context) => {
      const bad = context.sqlite(DATABASE).prepare(`SELECT id FROM ${OUT_OF_RANGE} ORDER BY id`).all();
      return Promise.resolve({ rows: bad.map(({ id }) => `step_progress/${Number(id)}`).join(",") });
    },
  },
  "bad-transaction": {
    title: "One transaction archives active projects",
    scope: "transaction",
    switchOn: asUser(login, async (access, token) => {
      const codes = (await rows<{ code: string }>(access, token, "/api/projects?limit=10")).map(({ code }) => code);
      await readJson(access, "app", token, "/api/operations/status", { method: "POST", body: { status: "archived", codes } });
    }),
    probe: counted("# active projects archived", "projects WHERE status = 'archived'"),
    repairWith: async (context) => {
      const found = context.sqlite(DATABASE).prepare(
        `SELECT ch.transaction_id AS id FROM change_history ch JOIN governance_logs gl ON ch.governance_log_id = gl.id
         WHERE gl.action = 'bulk_status' ORDER BY ch.id DESC LIMIT 1`,
      );
      return Promise.resolve({ transaction: String(found.get()?.["id"] ?? "") });
    },
  },
  "broken-database": {
    title: "A data integrity tool deletes supposed orphans; the export from before the deployment is usable",
    scope: "json-import",
    switchOn: async (context) =>
      Promise.resolve(
        context
          .sqlite(DATABASE)
          .exec(
            "DELETE FROM step_progress WHERE id % 2 = 0; DELETE FROM phases WHERE id % 3 = 0; UPDATE projects SET name = '' WHERE id % 2 = 1 AND code LIKE 'OF-%'",
          ),
      ),
    probe: counted(
      "# projects without their name or phases",
      "projects p WHERE code LIKE 'OF-%' AND (name = '' OR (SELECT count(*) FROM phases WHERE project_id = p.id) < 3)",
    ),
    repairWith: async ({ home }) => {
      const exports = readdirSync(join(home, "records")).map((run) => join(home, "records", run, "pre_deployment_export.json"));
      const file = exports
        .filter((path) => existsSync(`${path}.sha256`))
        .sort()
        .at(-1);
      const found: Record<string, string> =
        file === undefined ? {} : { file, sha256: readFileSync(`${file}.sha256`, "utf8").split(" ")[0]! };
      return Promise.resolve(found);
    },
  },
  "slow-responses": {
    title: "Responses take more than five times as long as before",
    scope: "application",
    switchOn: switchOn("slow-responses", { delayMs: 600 }),
    probe: asUser(login, async (access, token) => {
      // Unaffected requests show how fast the system is on this machine.
      const baseline = await burst(access, token, "/api/step-progress?limit=20", 8, 4);
      const { medianMs } = await burst(access, token, "/api/projects?limit=20", 8, 4);
      if (medianMs <= slowAbove(baseline.medianMs)) return null;
      return `median ${Math.round(medianMs)} ms against ${Math.round(baseline.medianMs)} ms elsewhere`;
    }),
  },
};
