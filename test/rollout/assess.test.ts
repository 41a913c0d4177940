/** One judgement of pins for Plan and for the verbs. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { resolvePins } from "../../config/resolve-pins.ts";
import { rolloutOf } from "../../config/pins.ts";
import { siteOf } from "../../config/site.ts";
import type { SystemDefinition } from "../../config/system/definition.ts";
import { createState } from "../../databases/open-state.ts";
import { hashFolder } from "../../processes/artefact.ts";
import { assess } from "../../rollout/assess.ts";
import { configOf } from "../config/sample.ts";
import { definition, plan } from "./sample.ts";

const onFile: SystemDefinition = {
  ...definition,
  databases: { pfa: { ...definition.databases["pfa"]!, engine: "sqlite", ledger: "backout" } },
};
const ledger = structuredClone(configOf().releases);
let project: string;
beforeAll(async () => {
  project = mkdtempSync(join(tmpdir(), "backout-assess-"));
  for (const [release, { services }] of Object.entries(ledger))
    for (const service of Object.keys(services)) {
      const folder = join(project, "releases", release, service);
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, "main.ts"), `// ${service} ${release}\n`);
      services[service]!.sha256 = await hashFolder(folder);
    }
});
afterAll(() => rmSync(project, { recursive: true, force: true }));

function question(change: Record<string, unknown> = {}) {
  const config = configOf({ releases: ledger, server: undefined, files: { pfa: join(project, "live.db") }, ...change });
  const site = siteOf(config, "test", project);
  const { newWrites, violations, exact } = config;
  const asked = { order: ["v3.0.0", "v4.0.0"], scope: null };
  return { site, definition: onFile, pins: resolvePins(config, onFile), asked, freeze: null, newWrites, violations, exact, before: null };
}

it("of what was never deployed: what it makes, or why it is refused", async () => {
  expect(await assess(question())).toMatchObject({ settled: false, unreached: null, refused: [], preview: { from: null, to: "v4.0.0" } });
  const refused = await assess(question({ data: "quarantine:pfa_quarantine_9" }));
  expect(refused).toMatchObject({ refused: [expect.stringMatching(/no such quarantine/)], preview: null });
});

it("of what is open: nothing is due, except what does not run as pinned, and another target", async () => {
  const asked = question();
  const { site, pins } = asked;
  const rollout = rolloutOf(pins);
  const state = await createState(site, onFile);
  await state.beginRollout({ epoch: 1, rollout, pins, plan: plan(pins), runId: "run-1", reason: null });
  const open = { ...asked, before: site };
  expect(await assess(open), "begun and not open: it resumes").toMatchObject({ settled: false, refused: [] });
  await state.setState(1, "open");
  await state.end();
  const services = Object.keys(pins.services);
  expect(await assess(open)).toEqual({ unreached: null, unseen: null, settled: true, drifted: services, refused: [], preview: null });
  const moved = { ...open, before: { ...site, target: "docker" as const } };
  expect(await assess(moved)).toMatchObject({ settled: false, preview: { moves: { from: "docker", to: "process" } } });
  expect(await assess({ ...moved, planned: rollout })).toMatchObject({ settled: false, preview: null });
  const other = { ...question({ release: "v3.0.0" }), before: site };
  expect(await assess(other)).toMatchObject({ settled: false, preview: { from: "v4.0.0", to: "v3.0.0" } });
  const freeze = { reason: "an incident" };
  const older = { ...other, freeze };
  expect((await assess(older)).refused, "every way back stays open").toEqual([]);
});
