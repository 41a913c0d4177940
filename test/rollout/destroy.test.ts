import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { stateFile, type Site } from "../../config/site.ts";
import type { SystemDefinition } from "../../config/system/definition.ts";
import { createState } from "../../databases/open-state.ts";
import { isAlive, lookUp, type ProcessIdentity } from "../../processes/identity.ts";
import { dropFiles } from "../../rollout/destroy.ts";
import { endStandbyMaking, makeStandbysInBackground } from "../../rollout/standby.ts";

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

test("what makes a standby copy in the background is ended, and nothing else that has its process id", async () => {
  const home = mkdtempSync(join(tmpdir(), "backout-destroy-"));
  const site: Site = { stack: "jobs", system: "jobs", module: null, project: home, home, target: "process", ports: {}, files: {} };
  makeStandbysInBackground(site, "deploy");
  makeStandbysInBackground(site, "deploy");
  const file = join(home, "standby", "makers.json");
  const begun = JSON.parse(readFileSync(file, "utf8")) as ProcessIdentity[];
  expect(begun).toHaveLength(2);
  writeFileSync(file, JSON.stringify([...begun, { pid: process.pid, startTime: "of another process" }]));
  await endStandbyMaking(site);
  expect(begun.filter(isAlive)).toEqual([]);
  expect(lookUp(process.pid)).not.toBeNull();
  rmSync(home, { recursive: true });
});
