/** Configuration that is encrypted in the stack file: it reaches the service and nothing else, and every verb works with it. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { processFolder } from "../../config/site.ts";
import { makeEphemeralStack } from "../../drill/ephemeral-stack.ts";
import { observeProcess } from "../../processes/process.ts";
import { openStack, stackFile } from "../../scripts/pulumi/stack.ts";
import { argumentListsDuring } from "./secret-values.ts";
import { filesBelow, makeStand, PROJECT, succeeded, type Stand, type Update } from "./stand.ts";

const VALUE = "hush-hush-4711";
const PASSWORD = "12345678";

let stand: Stand;
beforeAll(async () => {
  stand = await makeStand({
    system: "orbis-forge",
    release: "v2.4.0",
    edits: [{ path: ["standby"], value: "never" }],
    definition: () => `import { definition as orbisForge } from "${PROJECT}/systems/orbis-forge/definition.ts";
const { app } = orbisForge.services;
const settings = { ...orbisForge.scopes.application, pins: { services: { app: { config: "ledger" } } } };
const environment = (context) => ({ ...app.environment(context), MODE: context.config["MODE"] ?? "none" });
export const definition = { ...orbisForge, services: { app: { ...app, environment } }, scopes: { ...orbisForge.scopes, settings } };
`,
  });
});
afterAll(() => stand?.destroy());

test("set, deployed, looked at, rolled back: the value is in no state, record, log, preview or argument, and in the service", async () => {
  const outputs: string[] = [];
  const say = async (run: Promise<Update>): Promise<void> => void outputs.push(succeeded(await run).output);
  await say(stand.pulumi(["config", "set", "--secret", "--path", "backout:services.app.config.MODE", VALUE]));
  await say(stand.pulumi(["config", "set", "--secret", "backout:serverPassword", PASSWORD]));
  expect(stand.text()).not.toContain(VALUE);
  const mode = (): string | undefined => {
    const { pid } = observeProcess(processFolder(stand.site), "app");
    return readFileSync(`/proc/${pid}/environ`, "utf8").match(/(?:^|\0)MODE=([^\0]*)/)?.[1];
  };
  const seen = await argumentListsDuring(async () => {
    await say(stand.pulumi(["preview", "--diff"]));
    await say(stand.up());
    expect(mode()).toBe(VALUE);
    const verbs: string[][] = [["deploy", "phase-3.0.0", "--yes"], ["status"], ["preview"], ["verify"], ["history"]];
    for (const [verb, ...more] of verbs) {
      const { code, json, stderr } = await stand.verb(verb!, ...more);
      expect(code, `${verb}: ${stderr}`).toBe(0);
      outputs.push(JSON.stringify(json), stderr);
    }
    const { code, json, stderr } = await stand.verb("rollback", "--scope", "application", "--yes");
    expect(code, stderr).toBe(0);
    outputs.push(JSON.stringify(json), stderr);
    await say(stand.pulumi(["stack", "export"]));
  });
  expect(mode()).toBe(VALUE);
  for (const secret of [VALUE, PASSWORD]) {
    expect(outputs.filter((text) => text.includes(secret))).toEqual([]);
    expect(seen.filter((line) => line.includes(secret))).toEqual([]);
    expect(filesBelow(stand.folder).filter((file) => readFileSync(file, "latin1").includes(secret))).toEqual([]);
  }
  expect(outputs.at(-1), "the export has the pins").toMatch(/secret:[0-9a-f]{16}/);
});

test("another value is a change by name that restarts the service; the password reads as text", async () => {
  const before = observeProcess(processFolder(stand.site), "app").pid;
  succeeded(await stand.pulumi(["config", "set", "--secret", "--path", "backout:services.app.config.MODE", "another-4712"]));
  const { json } = await stand.verb<{ preview: { changes: string[] } }>("preview");
  expect(json.preview.changes).toEqual(["app: configuration"]);
  await stand.upWell();
  expect(observeProcess(processFolder(stand.site), "app").pid).not.toBe(before);
  const environment = process.env;
  process.env = { ...environment, ...stand.stack.environment };
  try {
    expect((await openStack(stackFile(stand.stack.stack, stand.folder))).config.serverPassword).toBe(PASSWORD);
    // A drill works on a copy with another state.
    const folder = join(stand.folder, "copy");
    const copy = await makeEphemeralStack({ project: stand.folder, stack: stand.stack.stack, folder, name: "copy", engine: stand.engine });
    process.env = { ...environment, ...copy.environment };
    expect((await openStack(stackFile("copy", folder))).site.secretConfig).toMatchObject({});
    expect(Object.values((await openStack(stackFile("copy", folder))).site.secretConfig!)).toContain("another-4712");
    expect(existsSync(join(folder, "home", "processes"))).toBe(false);
  } finally {
    process.env = environment;
  }
});

test("a rollback takes it away, the undo brings it back as it was encrypted, and it is in no output", async () => {
  const environment = (): string => readFileSync(`/proc/${observeProcess(processFolder(stand.site), "app").pid}/environ`, "utf8");
  const text = stand.text();
  const back = await stand.verb("rollback", "--scope", "settings", "--yes");
  expect(back.code, back.stderr).toBe(0);
  expect(stand.text()).not.toMatch(/MODE:\n +secure:/);
  expect(environment()).toMatch(/\0MODE=none\0/);
  const undone = await stand.verb("undo", "--yes");
  expect(undone.code, undone.stderr).toBe(0);
  expect(environment()).toMatch(/\0MODE=another-4712\0/);
  expect(stand.text().split("\n").sort()).toEqual(text.split("\n").sort());
  for (const { json, stderr } of [back, undone]) expect(JSON.stringify(json) + stderr).not.toContain("another-4712");
});
