/**
 * A team: what was killed on one machine is finished on another, in another folder and by another user, who have only the backend, the stack file with
 * its encrypted configuration, its passphrase and the database in common.
 */
import { mkdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { PinEdit } from "../../config/edit.ts";
import { PHASES } from "../../config/phases.ts";
import { isRunning } from "../../processes/identity.ts";
import { fileBackend } from "../../scripts/pulumi/file-backend.ts";
import { succeeded, until } from "./stand.ts";
import { makeTeam, type TeamStand } from "./team-stand.ts";

let team: TeamStand;
beforeAll(async () => {
  team = await makeTeam();
});
afterAll(() => team?.remove());

const FORWARD: PinEdit[] = [
  { path: ["release"], value: "v2" },
  { path: ["data"], value: "current" },
];

test("the first machine deploys", { timeout: 600_000 }, async () => {
  await team.upWell();
  await team.order("before");
  expect(await team.says()).toBe("v1");
});

const way = (index: number): "forward" | "back" => (index % 2 === 0 ? "forward" : "back");
test.for(PHASES.map((phase, index) => [phase, way(index)] as const))(
  "killed in %s on the way %s, it is finished on the second machine",
  { timeout: 600_000 },
  async ([phase, direction], { expect }) => {
    await team.gone(team.two);
    const last = (await team.snapshots()).at(-1);
    const back: PinEdit[] = [
      { path: ["release"], value: "v1" },
      { path: ["data"], value: `${last?.name}@${last?.generation}` },
    ];
    const { provider } = await team.interrupt(`${phase}.after`, "cli", direction === "forward" ? FORWARD : back, `killed-in-${phase}`);
    await until("the provider has noticed that it is alone", () => !isRunning(provider));
    await team.gone(team.one);
    const begun = await team.last();
    const { code, output } = await team.there("pulumi", "up", "--yes", "--skip-preview");
    expect(code, output).toBe(0);
    const rollout = (await team.last())!;
    expect(rollout).toMatchObject({ state: "open", failure: null });
    expect(rollout.recordedAt).not.toBeNull();
    if (phase !== "plan") expect(rollout.epoch, "it is the one that was begun").toBe(begun!.epoch);
    expect([await team.says(), await team.orders()]).toEqual([direction === "forward" ? "v2" : "v1", ["before"]]);
  },
);

test(
  "verbs on the second machine need nothing but the passphrase: state, preview, checks, records and a rollback",
  { timeout: 600_000 },
  async () => {
    for (const given of [["status"], ["preview"], ["verify"], ["history", "--verify"], ["rollback", "--yes"]]) {
      const { code, output } = await team.there("backout", ...given);
      expect(code, `${given.join(" ")}: ${output}`).toBe(0);
    }
    expect(await team.says()).toBe("v1");
    await team.gone(team.two);
  },
);

test("a refresh changes nothing, and the stack goes on in another backend", { timeout: 600_000 }, async () => {
  await team.upWell();
  succeeded(await team.pulumi(["refresh", "--yes", "--skip-preview"]));
  const file = join(team.shared, "export.json");
  succeeded(await team.pulumi(["stack", "export", "--file", file]));
  const other = join(team.shared, "other");
  mkdirSync(other);
  const environment = { PULUMI_BACKEND_URL: fileBackend(other) };
  for (const given of [
    ["select", "--create"],
    ["import", "--file", file],
  ])
    succeeded(await team.pulumi(["stack", ...given], environment));
  const { epoch } = (await team.last())!;
  const { counts } = await team.upWell([], environment);
  expect([counts["created"] ?? 0, counts["updated"] ?? 0, (await team.last())!.epoch]).toEqual([0, 0, epoch]);
});

test("destroyed on a machine that never had it, it is deployed again with its data", { timeout: 600_000 }, async () => {
  await team.gone(team.one);
  rmSync(team.two.home, { recursive: true, force: true });
  const { code, output } = await team.there("pulumi", "destroy", "--yes", "--skip-preview");
  expect(code, output).toBe(0);
  rmSync(team.two.home, { recursive: true, force: true });
  const again = await team.there("pulumi", "up", "--yes", "--skip-preview");
  expect(again.code, again.output).toBe(0);
  await team.gone(team.two);
  // The home here is of the stack as it was before.
  const { home } = team.one;
  const refused = await team.pulumi(["up", "--yes", "--skip-preview"]);
  expect(refused.code).not.toBe(0);
  expect(refused.output).toMatch(/is of the time before stack "dev" was destroyed and deployed again in .*: nothing was changed/);
  expect(refused.output).toContain(`mv ${home} ${home}.old && `);
  expect(refused.output).not.toContain("takeOver");
  renameSync(home, `${home}.old`);
  await team.upWell();
  expect([await team.says(), await team.orders()]).toEqual(["v1", ["before"]]);
});
