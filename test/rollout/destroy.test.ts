import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { stateFile, type Site } from "../../config/site.ts";
import type { SystemDefinition } from "../../config/system/definition.ts";
import { createState } from "../../databases/open-state.ts";
import { dropFiles } from "../../rollout/destroy.ts";

test("of a system without a database, the state goes", async () => {
  const home = mkdtempSync(join(tmpdir(), "backout-destroy-"));
  const site: Site = { stack: "jobs", system: "jobs", module: null, project: home, home, target: "process", ports: {}, files: {} };
  const definition = { name: "jobs", services: {}, databases: {} } as unknown as SystemDefinition;
  await (await createState(site, definition)).end();
  expect(existsSync(stateFile(site))).toBe(true);
  await dropFiles(site, definition, () => undefined);
  expect(existsSync(stateFile(site))).toBe(false);
  rmSync(home, { recursive: true });
});
