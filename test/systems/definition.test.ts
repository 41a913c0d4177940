import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { downScript } from "../../databases/shared/migrations/script.ts";
import { staticReleaseFiles } from "../../systems/kit/static-release.ts";
import { definition as pfaVanguard } from "../../systems/pfa-vanguard/definition.ts";
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
  test("what counts comes before what writes, and the error log is read after both", () => {
    const order = pfaVanguard.checks.map(({ id }) => id).filter((id) => ["count", "write", "error-log"].includes(id));
    expect(order).toEqual(["count", "write", "error-log"]);
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
});
