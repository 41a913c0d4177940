/** A sixth system beside the five: its folder and its stack file are all there is of it. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, expect, test } from "vitest";
import { defineSystem } from "../../components/define.ts";
import { process } from "../../components/workloads.ts";
import { rawConfig } from "../../config/edit.ts";
import { loadFrom, systemsIn } from "../../config/load-system.ts";
import { parseConfig } from "../../config/parse.ts";
import { resolvePins } from "../../config/resolve-pins.ts";

const folder = mkdtempSync(join(tmpdir(), "backout-systems-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const ROOT = join(import.meta.dirname, "../..");
const FILES: Record<string, string> = {
  "definition.ts": `import { defineSystem, postgres } from "${ROOT}/components/define.ts";
import { process } from "${ROOT}/components/workloads.ts";
export const definition = defineSystem("sixth", {
  databases: { sixth: postgres({ migrations: "migrations" }) },
  services: { api: { health: "/healthz", port: 8490, readOnlyAllow: [{ method: "POST", path: "/login" }], run: process({ command: ["./api"] }) } },
  watches: {
    hour: { title: "an hour", durationMinutes: 60, intervalSeconds: 300 },
    day: { title: "a day", durationMinutes: 1440, intervalSeconds: 300, after: ["full"] },
  },
}, import.meta.dirname);
`,
  "policy.yaml": `classes: { down: { title: it is down, deadlineMinutes: 5, scope: code, triggers: [{ id: outage, title: nobody gets an answer }] } }
authorisations: { owner: { title: Rollback, approvers: [Owner] } }
roles: [Owner, Operator]
escalation: []
notifications: []
drills: []
records: {}
targets: {}
`,
  "verify/no-negative-order.sql": "-- scopes: full\nSELECT id FROM orders WHERE total < 0;\n",
  "verify/orders-have-ids.sql": "SELECT 1 FROM orders WHERE id IS NULL;\n",
  "verify/orders-can-be-added.sql": "-- writes: true\nINSERT INTO orders VALUES (0, 0);\n",
  "migrations/1_orders/migration.sql": "CREATE TABLE orders (id int, total int);\n",
};
const STACK = `config:
  backout:system: sixth
  backout:server: {embedded: true, port: 5490}
  backout:ports: {api: 8490, api-upstream: 8491}
  backout:releases:
    v1: {schema: {sixth: 1_orders}, services: {api: {path: releases/v1/api, sha256: "${"0".repeat(64)}"}}}
  backout:release: v1
`;

test("is known by its folder, has every default, and its stack file's pins resolve", async () => {
  for (const [name, text] of Object.entries(FILES)) {
    const file = join(folder, "sixth", name);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
  const systems = pathToFileURL(`${folder}/`);
  expect(systemsIn(systems)).toEqual(["sixth"]);
  const { scopes, watches, listeners, policy, ...system } = await loadFrom(systems, "sixth");
  const own = ["health", "row-counts", "schema-objects", "error-rate"];
  const files = ["orders-can-be-added", "orders-have-ids"];
  expect(scopes).toMatchObject({
    code: { checks: [...own, ...files], phaseBudgets: {} },
    full: { checks: [...own, "no-negative-order", ...files] },
  });
  // A watch only reads, and has a check of some scopes only where it is due after no other.
  expect(watches).toMatchObject({
    hour: { after: ["code", "full"], checks: [...own, "orders-have-ids"], pass: { healthyShare: 1, limits: [] } },
    day: { after: ["full"], checks: [...own, "no-negative-order", "orders-have-ids"] },
  });
  expect(listeners).toEqual({ api: { service: "api", readOnlyAllow: [{ method: "POST", path: "/login" }] } });
  expect(policy?.authorisations).toEqual({
    owner: { title: "Rollback", approvers: ["Owner"], agree: "all", notify: ["Owner", "Operator"] },
  });
  const pins = resolvePins(parseConfig(rawConfig(STACK)), { scopes, listeners, ...system });
  expect(pins.services["api"]).toMatchObject({ release: "v1", run: true });
});

test.each([
  ["without content is no policy", "# to be written\n", null],
  ["of another tool is refused by its name", "- allow: all\n", /^policy\.yaml: \[.*rename the file if it is no policy of the system$/],
  ["with a wrong key, too", "classes: {}\nroless: []\n", /policy\.yaml: roless: .*did you mean `roles`.*correct it, or rename the file/],
  [
    "with a wrong name, too",
    FILES["policy.yaml"]!.replace("scope: code", "scope: cod"),
    /policy\.yaml: classes\.down\.scope: "cod".*did you mean `code`/,
  ],
])("a policy.yaml %s", (_what, policy, refused) => {
  const own = mkdtempSync(join(folder, "policy-"));
  writeFileSync(join(own, "policy.yaml"), policy);
  const define = () => defineSystem("seventh", { services: { api: { run: process({ command: ["./api"] }) } } }, own);
  if (refused === null) expect(define().policy).toBeUndefined();
  else expect(define).toThrow(refused);
});
