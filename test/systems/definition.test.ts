import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { PHASES } from "../../config/phases.ts";
import { downScript } from "../../databases/postgres/migrations.ts";
import { staticReleaseFiles } from "../../systems/kit/static-release.ts";
import { pfaVanguard } from "../../systems/pfa-vanguard/definition.ts";
import { FRONTENDS, releaseFolder } from "../../systems/pfa-vanguard/frontend/build.ts";
import { loadSystem, systemNames, UnknownSystemError } from "../../config/load-system.ts";
import { MIGRATIONS } from "./stand.ts";

describe("registry", () => {
  test("an unknown system is refused with the names of the known ones", async () => {
    await expect(loadSystem("pfa-vangard")).rejects.toThrow(UnknownSystemError);
    await expect(loadSystem("pfa-vangard")).rejects.toThrow(/"pfa-vangard".*pfa-vanguard/);
    await expect(loadSystem("constructor")).rejects.toThrow(UnknownSystemError);
  });

  test.each(systemNames())("%s is known by its own name", async (name) => {
    expect((await loadSystem(name)).name).toBe(name);
  });
});

describe("definition of PFA Vanguard", () => {
  const { scopes, checks, services, drill } = pfaVanguard;
  const checkIds = checks.map((each) => each.id);

  test("every name a scope uses exists, and its phases' budgets fit into its own", () => {
    for (const [name, scope] of Object.entries(scopes)) {
      expect(
        scope.checks.filter((id) => !checkIds.includes(id)),
        name,
      ).toEqual([]);
      expect(
        Object.keys(scope.phaseBudgets).filter((phase) => !(PHASES as readonly string[]).includes(phase)),
        name,
      ).toEqual([]);
      expect(
        Object.keys(scope.pins.services ?? {}).filter((service) => !(service in services)),
        name,
      ).toEqual([]);
      const sum = Object.values(scope.phaseBudgets).reduce((total, seconds) => total + seconds, 0);
      expect(sum, name).toBeLessThanOrEqual(scope.budgetSeconds);
    }
  });

  test("the documented time targets", () => {
    expect([scopes["quick"], scopes["full"], scopes["restore"]].map((scope) => scope?.budgetSeconds)).toEqual([600, 1800, 1800]);
  });

  test("every scope but the frontend's leaves the worker stopped", () => {
    const off = Object.entries(scopes).filter(([, scope]) => scope.pins.services?.["worker"]?.run === "off");
    expect(off.map(([name]) => name).sort()).toEqual(["backend", "full", "quick", "restore", "worker"]);
    expect(pfaVanguard.stopOrder[0]).toBe("worker");
  });

  test("what counts comes before what writes, and the error log is read after both", () => {
    expect(checkIds.indexOf("count")).toBeLessThan(checkIds.indexOf("write"));
    expect(checkIds.indexOf("write")).toBeLessThan(checkIds.indexOf("error-log"));
    expect(new Set(checkIds).size).toBe(checkIds.length);
  });

  test("every fault has a scope that exists; the default fault is one of them", () => {
    for (const [name, fault] of Object.entries(drill.faults)) expect(Object.keys(scopes), name).toContain(fault.scope);
    expect(Object.keys(drill.faults)).toContain(drill.defaultFault);
  });

  test("every migration can be taken back, and no script carries a transaction of its own", () => {
    for (const migration of MIGRATIONS) {
      expect(downScript(migration), migration.name).not.toBeNull();
      for (const file of readdirSync(migration.folder))
        expect(readFileSync(join(migration.folder, file), "utf8")).not.toMatch(/^(BEGIN|COMMIT)\b.*;/m);
    }
  });

  test.each(FRONTENDS)("the published files of frontend $release are those of its sources", (frontend) => {
    const folder = releaseFolder(frontend.release);
    const files = staticReleaseFiles(frontend);
    expect(readdirSync(folder).sort()).toEqual(Object.keys(files).sort());
    for (const [name, content] of Object.entries(files)) expect(readFileSync(join(folder, name), "utf8"), name).toBe(content);
    expect(files["index.html"]).toContain(`<meta name="version" content="${frontend.release}" />`);
  });

  test("both releases have every service", () => {
    for (const release of [drill.from, drill.to])
      for (const [name, service] of Object.entries(services))
        expect(existsSync(join(pfaVanguard.folder, "releases", release, name, service.entry ?? "index.html")), `${release} ${name}`).toBe(
          true,
        );
  });
});
