/** Planted bugs of Radiation Health's own checks: a drill must not pass with them. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import type { PinEdit } from "../../config/edit.ts";
import { hashFolder } from "../../processes/artefact.ts";
import { makeProject, type DrillProject } from "./drill-stand.ts";
import { PROJECT } from "./stand.ts";

const SYSTEM = join(PROJECT, "systems", "radiation-health");

let project: DrillProject | null = null;
afterEach(async () => {
  await project?.remove();
  project = null;
});

/** The system's definition with another `run` of its alert check; `check` and `context` are what that one has and gets. */
const withAlertCheck = (run: string): string =>
  `import { definition as radiationHealth } from "${SYSTEM}/definition.ts";
export const definition = { ...radiationHealth, checks: radiationHealth.checks.map((check) => check.id === "alert-chain" ? { ...check, run: async (context) => ${run} } : check) };
`;

/** An earlier release that notes alerts as sent and sends none. */
async function silentRelease(folder: string): Promise<PinEdit[]> {
  const path = join(folder, "silent");
  mkdirSync(path);
  const source = readFileSync(join(SYSTEM, "releases", "v1.8.0", "websocket-service", "main.ts"), "utf8");
  const silent = source
    .replaceAll(/from "[./]+\/(kit|program)\//g, (_, room: string) => `from "${room === "kit" ? join(SYSTEM, "..") : SYSTEM}/${room}/`)
    .replace("sockets.broadcast(alert)", "sockets.connected()");
  expect(silent).toContain("sockets.connected()");
  writeFileSync(join(path, "main.ts"), silent);
  const at = ["releases", "v1.8.0", "services", "websocket-service"] as const;
  return [
    { path: [...at, "path"], value: path },
    { path: [...at, "sha256"], value: await hashFolder(path) },
  ];
}

describe("turns red for", () => {
  test("an alert check that listens where nobody tells anything", async () => {
    const elsewhere = `check.run({ ...context, url: (name) => context.url(name === "websocket-service" ? "radiation-monitoring" : name) })`;
    project = await makeProject({ system: "radiation-health", definition: withAlertCheck(elsewhere) });
    const { code, failed, json } = await project.drill();
    expect(code).toBe(1);
    expect(failed).toEqual(["deploy"]);
    expect(json.checks.find(({ name }) => name === "deploy")?.detail).toMatch(/alert-chain \(no WebSocket at/);
  });

  test("an alert check that says yes without listening, where the release that is gone back to sends nothing: the drill listens itself", async () => {
    const definition = withAlertCheck(`({ status: "passed", detail: "not listened" })`);
    project = await makeProject({ system: "radiation-health", definition, edits: silentRelease });
    const { code, failed, json } = await project.drill(["--no-watch"]);
    expect(code).toBe(1);
    // The newer release is sound, so that the fault can be switched on; after the rollback it is still there.
    expect(failed).toEqual(["fault-gone"]);
    expect(json.checks.find(({ name }) => name === "fault-gone")?.detail).toContain("was not received");
    expect(json.checks.find(({ name }) => name === "alert-chain")?.status).toBe("passed");
  });
});
