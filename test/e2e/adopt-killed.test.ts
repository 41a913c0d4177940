/** An adoption that is killed or fails: nothing is deployed on it, it is finished by the same command, and what was found is given back. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { AdoptOutcome } from "../../scripts/verbs/adopt.ts";
import { at, DEFINITION, makeShop, missing, RELEASES, startShops, stopShops, theirs, web, wherever } from "./adopt-postgres.ts";
import { adoptStand, startWriter, type AdoptStand, type Writer } from "./adopt-stand.ts";
import { until } from "./stand.ts";

beforeAll(startShops);
afterAll(stopShops);

describe.skipIf(missing !== null)("an adoption that is killed", () => {
  const name = "shop_killed";
  let stand: AdoptStand;
  let writer: Writer;
  beforeAll(async () => {
    await makeShop(name);
    stand = await adoptStand(DEFINITION, "shop", RELEASES, wherever(name, "dump"));
    writer = startWriter(() => web(name));
    await writer.writesOn();
  });
  afterAll(async () => {
    await writer?.stop();
    await stand?.destroy();
  });
  const everything = async () => ({
    theirs: await theirs(name),
    roles: await at("postgres", "SELECT rolname FROM pg_roles ORDER BY 1"),
    databases: await at("postgres", "SELECT datname FROM pg_database ORDER BY 1"),
    ledger: await at(name, "SELECT to_regclass('_prisma_migrations')::text AS table"),
  });

  test.each(["adopt.begun", "adopt.roles", "adopt.ledger", "adopt.copying", "adopt.recorded"])(
    "at %s: nothing is deployed on it, the same command finishes it, and --undo gives back what was found",
    async (point) => {
      const before = await everything();
      const text = stand.text();
      await stand.killVerb(point, "adopt", "--yes", "--baseline", "1_orders");
      const refused = await stand.verb("deploy", "v2", "--yes");
      expect(refused.code).toBe(3);
      expect(refused.failure).toMatch(/was interrupted: `.*adopt --stack adopted` finishes it/);
      const again = await stand.verb<AdoptOutcome>("adopt", "--yes", "--baseline", "1_orders");
      expect(again.code, again.failure ?? "").toBe(0);
      expect(again.json).toMatchObject({ did: "adopted", snapshots: ["adopted@1 of shop"] });
      const undone = await stand.verb<AdoptOutcome>("adopt", "--undo", "--yes");
      expect(undone.code, undone.failure ?? "").toBe(0);
      expect(undone.json).toMatchObject({ did: "given back" });
      expect(await everything()).toEqual(before);
      expect(stand.text()).toBe(text);
      await stand.killVerb(point, "adopt", "--yes", "--baseline", "1_orders");
      expect((await stand.verb("adopt", "--undo", "--yes")).code).toBe(0);
      expect(await everything()).toEqual(before);
      expect(stand.text()).toBe(text);
      expect(existsSync(join(stand.stack.home, "dumps", `${name}_adopted_1`))).toBe(false);
      expect((await stand.verb<AdoptOutcome>("adopt", "--undo", "--yes")).json).toMatchObject({ did: "unchanged" });
      await writer.writesOn();
      expect(writer.refused).toEqual([]);
    },
  );

  test("one that fails gives back by itself, and leaves what is somebody else's", async () => {
    const before = await everything();
    const text = stand.text();
    // Something lies under the name of the snapshot: it is neither used nor removed.
    const folder = join(stand.stack.home, "dumps", `${name}_adopted_1`);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "mine"), "");
    const { code, failure } = await stand.verb("adopt", "--yes", "--baseline", "1_orders");
    expect(code).toBe(1);
    expect(failure).toMatch(
      /adopting failed, and everything was given back as it was found: .*_adopted_1 already exists: nothing was overwritten/,
    );
    expect(existsSync(join(folder, "mine"))).toBe(true);
    expect(await everything()).toEqual(before);
    expect(stand.text()).toBe(text);
    await writer.writesOn();
    expect(writer.refused).toEqual([]);
    rmSync(folder, { recursive: true });
  });

  test("a destroy whose provider is killed when everything is open again is finished by the next one", async () => {
    const before = await everything();
    expect((await stand.verb("adopt", "--yes", "--baseline", "1_orders")).code).toBe(0);
    const up = await stand.pulumi(["up", "--yes", "--skip-preview"]);
    expect(up.code, up.output).toBe(0);
    const points = mkdtempSync(join(stand.folder, "failpoint-"));
    const point = "give-back.opened";
    const destroying = stand.pulumi(["destroy", "--yes", "--skip-preview"], { BACKOUT_FAILPOINT: point, BACKOUT_FAILPOINT_FOLDER: points });
    const reached = join(points, `${point}.reached`);
    await until("it has opened everything", () => existsSync(reached) && readFileSync(reached, "utf8") !== "", 120_000);
    process.kill(Number(readFileSync(reached, "utf8")), "SIGKILL");
    expect((await destroying).code).not.toBe(0);
    await writer.writesOn();
    const again = await stand.pulumi(["destroy", "--yes", "--skip-preview"]);
    expect(again.code, again.output).toBe(0);
    expect(await everything()).toEqual(before);
    await writer.writesOn();
    expect(writer.refused).toEqual([]);
  });
});
