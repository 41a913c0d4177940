/** Faults that damage data, each with the smallest restoration that repairs it. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { DrillContext, FaultDefinition } from "../../../config/system/drill.ts";
import { login, request, rows } from "../api.ts";
import { AnswerError } from "../../kit/client.ts";
import { accessOf } from "../../kit/fault-switch.ts";
import { countOf, switchOn } from "./switch.ts";

const OUT_OF_RANGE = "percent < 0 OR percent > 100";

/** Answers are read to their end, so the connection can be reused. */
async function sent(context: DrillContext, path: string, init: { method: string; body: unknown }): Promise<Record<string, unknown>> {
  const access = accessOf(context);
  const response = await request(access, await login(access), path, init);
  const text = await response.text();
  if (response.status !== 200) throw new AnswerError(`${init.method} ${path}`, response.status, text);
  return JSON.parse(text) as Record<string, unknown>;
}

export const dataCorruption: FaultDefinition = {
  title: "Every write silently damages phases and steps of other projects",
  scope: "full",
  switchOn: async (context) => {
    await switchOn(context, "data-corruption");
    // The damage comes with writes; this makes one in case no other client writes now.
    await sent(context, "/api/projects", { method: "POST", body: { code: `DRILL-${Date.now()}`, name: "made by a drill" } });
  },
  probe: async (context) => {
    const lost = countOf(context, "SELECT count(*) AS rows FROM phases WHERE position < 0");
    const nonsense = countOf(context, `SELECT count(*) AS rows FROM step_progress WHERE ${OUT_OF_RANGE}`);
    return Promise.resolve(lost + nonsense > 0 ? `${lost} phases lost, ${nonsense} steps with an impossible progress` : null);
  },
};

/** Steps with bad edits. */
const BAD_EDITS = 5;

export const badInlineEdits: FaultDefinition = {
  title: "Inline editing takes impossible values",
  scope: "selective",
  switchOn: async (context) => {
    await switchOn(context, "bad-inline-edits");
    const access = accessOf(context);
    const steps = await rows<{ id: number }>(access, await login(access), `/api/step-progress?limit=${BAD_EDITS}`);
    for (const { id } of steps) await sent(context, `/api/inline/step-progress/${id}`, { method: "PATCH", body: { percent: 900 } });
  },
  probe: async (context) => {
    const bad = countOf(context, `SELECT count(*) AS rows FROM step_progress WHERE ${OUT_OF_RANGE}`);
    return Promise.resolve(bad > 0 ? `${bad} steps with a progress outside 0 to 100` : null);
  },
  repairWith: async (context) => {
    const bad = context.sqlite("production").prepare(`SELECT id FROM step_progress WHERE ${OUT_OF_RANGE} ORDER BY id`).all() as {
      id: number;
    }[];
    return Promise.resolve({ rows: bad.map(({ id }) => `step_progress/${id}`).join(",") });
  },
};

export const badTransaction: FaultDefinition = {
  title: "One transaction archives active projects",
  scope: "transaction",
  switchOn: async (context) => {
    const access = accessOf(context);
    const projects = await rows<{ code: string }>(access, await login(access), "/api/projects?limit=10");
    await sent(context, "/api/operations/status", {
      method: "POST",
      body: { status: "archived", codes: projects.map(({ code }) => code) },
    });
  },
  probe: async (context) => {
    const archived = countOf(context, "SELECT count(*) AS rows FROM projects WHERE status = 'archived'");
    return Promise.resolve(archived > 0 ? `${archived} active projects archived` : null);
  },
  repairWith: async (context) => {
    const found = context
      .sqlite("production")
      .prepare(
        `SELECT ch.transaction_id AS id FROM change_history ch JOIN governance_logs gl ON ch.governance_log_id = gl.id
         WHERE gl.action = 'bulk_status' ORDER BY ch.id DESC LIMIT 1`,
      )
      .get() as { id: string } | undefined;
    return Promise.resolve({ transaction: found?.id ?? "" });
  },
};

export const brokenDatabase: FaultDefinition = {
  title: "A data integrity tool deletes supposed orphans; the export from before the deployment is usable",
  scope: "json-import",
  switchOn: async (context) => {
    const database = context.sqlite("production");
    database.exec(
      "DELETE FROM step_progress WHERE id % 2 = 0; DELETE FROM phases WHERE id % 3 = 0; UPDATE projects SET name = '' WHERE id % 2 = 1 AND code LIKE 'OF-%'",
    );
    return Promise.resolve();
  },
  probe: async (context) => {
    const incomplete = countOf(
      context,
      "SELECT count(*) AS rows FROM projects p WHERE code LIKE 'OF-%' AND (name = '' OR (SELECT count(*) FROM phases WHERE project_id = p.id) < 3)",
    );
    return Promise.resolve(incomplete > 0 ? `${incomplete} projects without their name or phases` : null);
  },
  repairWith: async ({ home }) => {
    const records = join(home, "records");
    const runs = readdirSync(records, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    const file = runs
      .map(({ name }) => join(records, name, "pre_deployment_export.json"))
      .filter((path) => readableHash(path) !== null)
      .sort()
      .at(-1);
    const found: Record<string, string> = file === undefined ? {} : { file, sha256: readableHash(file) ?? "" };
    return Promise.resolve(found);
  },
};

/** The sha256 in the file beside the export; null: no file. */
function readableHash(file: string): string | null {
  try {
    return readFileSync(`${file}.sha256`, "utf8").split(" ")[0] ?? null;
  } catch {
    return null;
  }
}
