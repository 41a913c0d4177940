/** Both releases as processes: what each can do, who may do it, and what an import refuses. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { seed } from "../../../systems/orbis-forge/seed.ts";
import { api, type Program } from "../stand.ts";
import { makeStand, NEW, OLD, secret, type File, type Stand } from "./stand.ts";

let stand: Stand;
let files: Record<string, File>;
let old: Program;
let newer: Program;

beforeAll(async () => {
  stand = makeStand();
  files = { old: stand.makeFile("old", OLD), newer: stand.makeFile("newer", NEW) };
  for (const file of Object.values(files)) await seed(file.access, 80);
  [old, newer] = await Promise.all([stand.start(OLD, files["old"]!), stand.start(NEW, files["newer"]!)]);
});
afterAll(() => stand?.remove());

async function tokenOf(program: Program, username: string): Promise<string> {
  const password = secret(username === "admin" ? "admin-password" : "test-user-password");
  const { json } = await api(program, "")("POST", "/api/auth/login", { username, password });
  return json()["token"] as string;
}

const emergency = { "x-user-id": "emergency_admin", "x-emergency-key": secret("emergency-key") };

function importing(program: Program, document: string, fields: Record<string, string> = { skipHashCheck: "false" }) {
  const form = new FormData();
  form.append("file", new Blob([document]), "pre_deployment_export.json");
  for (const [name, value] of Object.entries(fields)) form.append(name, value);
  return fetch(`${program.url}/api/json-operations/import`, { method: "POST", headers: emergency, body: form });
}

describe("both releases", () => {
  test("a write is in the data, in governance_logs and in change_history, or nowhere", async () => {
    for (const [program, file] of [
      [old, files["old"]!],
      [newer, files["newer"]!],
    ] as const) {
      const call = api(program, await tokenOf(program, "test-user"));
      expect((await call("POST", "/api/projects", { code: "T-1", name: "one" })).status).toBe(200);
      expect((await call("POST", "/api/projects", { code: "T-1", name: "again" })).status).toBe(409);
      expect((await call("PUT", "/api/projects/T-1", { name: "two" })).json()).toMatchObject({ name: "two" });
      const history = await file.session.all<{ operation: string; action: string; success: number }>(
        "SELECT ch.operation, gl.action, gl.success FROM change_history ch JOIN governance_logs gl ON gl.id = ch.governance_log_id ORDER BY ch.id",
      );
      expect(history).toEqual([
        { operation: "create", action: "create_project", success: 1 },
        { operation: "update", action: "update_project", success: 1 },
      ]);
      expect((await call("DELETE", "/api/projects/T-1")).status).toBe(200);
      expect((await call("GET", "/api/projects/T-1")).status).toBe(404);
    }
  });

  test("who may only read is refused at the next request, administrators are not", async () => {
    const token = await tokenOf(old, "test-user");
    await files["old"]!.session.run("UPDATE user_permissions SET access_level = 'read_only' WHERE role = 'editor'");
    try {
      const call = api(old, token);
      expect((await call("POST", "/api/projects", { code: "T-2", name: "x" })).status).toBe(403);
      expect((await call("GET", "/api/projects")).status).toBe(200);
      const admin = api(old, await tokenOf(old, "admin"));
      expect((await admin("POST", "/api/projects", { code: "T-3", name: "x" })).status).toBe(200);
      expect((await admin("DELETE", "/api/projects/T-3")).status).toBe(200);
    } finally {
      await files["old"]!.session.run("UPDATE user_permissions SET access_level = 'write' WHERE role = 'editor'");
    }
  });

  test("requests at the same time do not end up in each other's transactions", async () => {
    const call = api(newer, await tokenOf(newer, "test-user"));
    const answers = await Promise.all(
      Array.from({ length: 30 }, (_, index) => call("POST", "/api/projects", { code: `C-${index % 20}`, name: "x" })),
    );
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(20);
    expect(answers.filter(({ status }) => status === 409)).toHaveLength(10);
    expect(await files["newer"]!.session.all("SELECT count(*) AS rows FROM projects WHERE code LIKE 'C-%'")).toEqual([{ rows: 20 }]);
  });
});

describe("Phase 3", () => {
  test.each([
    ["GET", "/api/json-operations/export"],
    ["POST", "/api/json-operations/import"],
    ["PATCH", "/api/inline/step-progress/1"],
    ["POST", "/api/operations/status"],
    ["GET", "/api/runtime-status"],
  ])("%s %s is there in phase-3.0.0 and not in v2.4.0", async (method, path) => {
    expect((await api(old, await tokenOf(old, "admin"))(method, path, method === "GET" ? undefined : {})).status).toBe(404);
    expect((await api(newer, await tokenOf(newer, "admin"))(method, path, method === "GET" ? undefined : {})).status).not.toBe(404);
  });

  test("the name alone exports nothing: it takes the key, and the role", async () => {
    const call = api(newer, await tokenOf(newer, "admin"));
    const path = "/api/json-operations/export";
    expect((await call("GET", path, undefined, { "x-user-id": "emergency_admin" })).status).toBe(401);
    expect((await call("GET", path, undefined, { ...emergency, "x-emergency-key": "guessed" })).status).toBe(401);
    expect((await call("GET", path, undefined, { ...emergency, "x-user-id": "reader" })).status).toBe(403);
    expect((await call("GET", path, undefined, emergency)).status).toBe(200);
  });

  test("an export comes back by import, and what was changed, cut off or is no export is refused with everything left as it is", async () => {
    const { session } = files["newer"]!;
    const call = api(newer, await tokenOf(newer, "admin"));
    const document = (await call("GET", "/api/json-operations/export", undefined, emergency)).text;
    const content = () =>
      session.all(
        "SELECT (SELECT group_concat(name) FROM projects) AS p, (SELECT sum(percent) FROM step_progress) AS s, (SELECT count(*) FROM phases) AS f",
      );
    const before = await content();
    await session.run("UPDATE projects SET name = 'spoilt' WHERE id % 2 = 0");
    await session.run("DELETE FROM phases WHERE id % 3 = 0");
    const spoilt = await content();
    const tampered = document.replace('"Project 1"', '"Project X"');
    expect(tampered).not.toBe(document);
    for (const wrong of [tampered, document.slice(0, -40), "{}", '{"format":"orbis-forge-export","tables":{}}']) {
      expect((await importing(newer, wrong)).status, wrong.slice(0, 60)).toBe(422);
      // The check is on unless it is said to be off.
      expect((await importing(newer, wrong, {})).status).toBe(422);
      expect(await content()).toEqual(spoilt);
    }
    expect((await importing(newer, document)).status).toBe(200);
    expect(await content()).toEqual(before);
    expect((await importing(newer, tampered, { skipHashCheck: "true" })).status).toBe(200);
    expect((await importing(newer, document)).status).toBe(200);
    expect(await session.all("PRAGMA foreign_key_check")).toEqual([]);
  });
});
