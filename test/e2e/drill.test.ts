/** Whole drills: one that passes and leaves nothing, what is left of killed ones, and each planted bug, which must turn the drill red. */
// Longer than 300 lines: one project, which the drills follow one another in.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { z } from "zod";
import { stateDatabase, endpointOf, gateStateFile, liveName, type Site } from "../../config/site.ts";
import { readGateState, writeGateState } from "../../traffic/state.ts";
import { withSession } from "../../databases/postgres/connection.ts";
import { quote } from "../../databases/shared/identifiers.ts";
import { hashFolder } from "../../processes/artefact.ts";
import { openStack, stackFile } from "../../scripts/pulumi/stack.ts";
import { definition as pfaVanguard } from "../../systems/pfa-vanguard/definition.ts";
import { makeProject, still, type DrillProject } from "./drill-stand.ts";
import { leaksIn, leaksInFiles, secretsOf } from "./secret-values.ts";
import { filesBelow, pause, PROJECT } from "./stand.ts";

let project: DrillProject | null = null;
afterEach(async () => {
  await project?.remove();
  project = null;
});

/** A definition that is the system's but for one thing. `change` is an expression over `pfaVanguard`. */
function changed(change: string): string {
  return `import { definition as pfaVanguard } from "${PROJECT}/systems/pfa-vanguard/definition.ts";\nexport const definition = ${change};\n`;
}

function withFault(change: string): string {
  return changed(
    `{ ...pfaVanguard, drill: { ...pfaVanguard.drill, faults: { ...pfaVanguard.drill.faults, "corrupting-writes": { ...pfaVanguard.drill.faults["corrupting-writes"], ${change} } } } }`,
  );
}

const SECRETS = ["database", "database-owner", "jwt", "pems-token", "server password", "test-user-password"];

/** The one drill that stands now. */
async function standing({ drills, left }: DrillProject): Promise<{ folder: string; site: Site }> {
  const folder = join(drills, left()[0]!);
  const { stack } = JSON.parse(readFileSync(join(folder, "drill.json"), "utf8")) as { stack: string };
  return { folder, site: { ...(await openStack(stackFile(stack, folder))).site, home: join(folder, "home") } };
}

/** Exactly what is promised of `--json`: a key that is missing or new is seen, as is one that holds something else. */
function expectShape(json: unknown): void {
  const seconds = z.number().nonnegative();
  const count = z.int().nonnegative();
  const status = z.enum(["passed", "failed", "skipped"]);
  const shape = z.strictObject({
    runId: z.string(),
    system: z.string(),
    target: z.string(),
    scope: z.string(),
    fault: z.string(),
    verdict: z.enum(["passed", "failed"]),
    seconds,
    phases: z.array(z.strictObject({ name: z.string(), seconds, budgetSeconds: seconds.nullable(), status })).min(1),
    rollback: z
      .strictObject({
        from: z.string(),
        to: z.string(),
        data: z.string(),
        seconds,
        cutOverMs: z.number().nullable(),
        unavailableMs: z.number().nullable(),
        rowsAtRisk: z.record(z.string(), z.strictObject({ inserted: count, updated: count, deleted: count })),
        rowsLost: count,
        exported: z.array(z.strictObject({ path: z.string(), sha256: z.string(), rows: count })),
      })
      .nullable(),
    checks: z.array(z.strictObject({ name: z.string(), status, detail: z.string() })).min(1),
    report: z.string(),
  });
  expect(shape.safeParse(json).error?.issues ?? []).toEqual([]);
}

const sql = (site: Site, database: string, text: string, values: unknown[] = []): Promise<{ rows: Record<string, unknown>[] }> =>
  withSession(endpointOf(site), database, (client) => client.query<Record<string, unknown>>(text, values));

describe("a drill", () => {
  test("passes, reports, and leaves nothing", async () => {
    project = await makeProject();
    const running = project.start();
    await running.reached("preview");
    const seen = project.sight();
    // Server, gate, backend, worker, stand-in and witness at least.
    expect(seen.processes.length).toBeGreaterThanOrEqual(6);
    const known = secretsOf((await standing(project)).site);
    expect([...known.keys()].sort()).toEqual(SECRETS);
    const { code, stdout, stderr } = await running.ended;
    const json = JSON.parse(stdout) as Record<string, never>;
    expect({ code, stderr: code === 0 ? "" : stderr + stdout }).toEqual({ code: 0, stderr: "" });
    expect(still(seen)).toEqual([]);
    expect(project.left()).toEqual([]);
    expectShape(json);
    expect(json).toMatchObject({
      system: "pfa-vanguard",
      target: "process",
      scope: "restore",
      fault: "corrupting-writes",
      verdict: "passed",
    });
    expect(json).toMatchObject({ rollback: { from: "v4.0.0", to: "v3.0.0", data: "before-v4.0.0@1", rowsLost: 0 } });
    const { phases, rollback, checks, report, runId } = json as unknown as {
      phases: Record<string, unknown>[];
      rollback: {
        cutOverMs: number;
        unavailableMs: number;
        rowsAtRisk: Record<string, { inserted: number }>;
        exported: { path: string; sha256: string; rows: number }[];
      };
      checks: Record<string, unknown>[];
      report: string;
      runId: string;
    };
    for (const list of [phases, checks]) expect(list.length).toBeGreaterThan(5);
    expect(rollback.cutOverMs).toBeGreaterThan(0);
    expect(rollback.unavailableMs).toBeGreaterThan(0);
    expect(rollback.rowsAtRisk["pfa_records"]?.inserted).toBeGreaterThan(0);
    expect(rollback.exported.length).toBeGreaterThan(0);
    for (const { path, sha256 } of rollback.exported) expect(createHash("sha256").update(readFileSync(path)).digest("hex")).toBe(sha256);
    expect(report).toBe(join(project.folder, "reports", runId, "report.html"));
    expect(readdirSync(join(report, ".."))).toEqual(["exports", "report.html", "report.json", "report.md", "witness.json"]);
    expect(leaksInFiles(filesBelow(join(report, "..")), known)).toEqual([]);
    expect([stdout, stderr].flatMap((text) => leaksIn("an output", text, known))).toEqual([]);
    // Tokens and keys that nobody keeps in a file.
    const secrets = /password|BEGIN|eyJ/i;
    for (const file of ["report.json", "report.md", "report.html", "witness.json"])
      expect(readFileSync(join(report, "..", file), "utf8")).not.toMatch(secrets);
  });

  test("kept when that is asked for: the stack stands, and nothing in it but its secrets' own files knows them; `--clean` removes it", async () => {
    project = await makeProject();
    const { code, json, stdout, stderr, failed } = await project.drill(["--keep", "--no-watch"]);
    expect({ code, failed }, stderr).toEqual({ code: 0, failed: [] });
    expectShape(json);
    expect(json.phases.map(({ name }) => name)).not.toContain("destroy");
    expect(json.checks.map(({ name }) => name)).not.toContain("nothing-left");
    expect(project.left()).toEqual([json.runId]);
    const seen = project.sight();
    const { folder, site } = await standing(project);
    // Server, gate, backend and stand-in at least.
    expect(still(seen).length).toBeGreaterThanOrEqual(6);
    const health = await fetch(`http://127.0.0.1:${site.ports["backend"]}/health`, { signal: AbortSignal.timeout(5_000) });
    expect([health.status, ((await health.json()) as { version: string }).version]).toEqual([200, "v3.0.0"]);

    const known = secretsOf(site);
    expect([...known.keys()].sort()).toEqual(SECRETS);
    const own = [join(site.home, "secrets"), join(site.home, "postgres")];
    const files = filesBelow(folder).filter((file) => own.every((place) => !file.startsWith(place)));
    for (const expected of [
      "/home/records/",
      "/home/exports/",
      "/home/processes/",
      "/home/standby/",
      "/.pulumi/history/",
      "/stand-ins/",
      "/drill.json",
    ])
      expect(
        files.some((file) => file.includes(expected)),
        `${expected} in ${files.join("\n")}`,
      ).toBe(true);
    expect(leaksInFiles([...files, ...filesBelow(join(project.folder, "reports"))], known)).toEqual([]);
    expect([stdout, stderr].flatMap((text) => leaksIn("an output", text, known))).toEqual([]);

    const cleaned = await project.start(["--clean"]).ended;
    expect([cleaned.code, JSON.parse(cleaned.stdout)], cleaned.stderr).toEqual([0, { removed: [json.runId], running: [] }]);
    expect(still(seen)).toEqual([]);
    expect(project.left()).toEqual([]);
    expect(existsSync(json.report), "the report stays").toBe(true);
    expect(JSON.parse((await project.start(["--clean"]).ended).stdout)).toEqual({ removed: [], running: [] });
  });

  test("told of a fault or scope there is not, starts nothing", async () => {
    project = await makeProject();
    for (const wrong of [["--fault", "corupting-writes"], ["--scope", "everything"], ["--rows", "many"], ["orbis"]]) {
      const { code, stdout } = await project.start(wrong).ended;
      expect(code).toBe(2);
      expect((JSON.parse(stdout) as { error: { message: string } }).error.message).toMatch(
        /corrupting-writes|restore|whole number|pfa-vanguard/,
      );
    }
    expect(project.left()).toEqual([]);
  });

  test("interrupted by Ctrl-C is removed, and exits with 130", async () => {
    project = await makeProject();
    const running = project.start();
    await running.reached("seed");
    const seen = project.sight();
    running.kill("SIGINT");
    const { code, stderr } = await running.ended;
    expect(code).toBe(130);
    expect(stderr).toContain("SIGINT");
    expect(still(seen)).toEqual([]);
    expect(project.left()).toEqual([]);
  });

  test("killed in the middle is found and removed by the next start", async () => {
    project = await makeProject({ definition: withFault(`probe: async () => "of course"`) });
    const killed = project.start();
    await killed.reached("deploy-new");
    await pause(2_000);
    const seen = project.sight();
    killed.kill("SIGKILL");
    expect((await killed.ended).signal).toBe("SIGKILL");
    expect(seen.processes.length).toBeGreaterThanOrEqual(4);
    expect(project.left()).toHaveLength(1);
    const { stderr, failed, json } = await project.drill();
    expect(stderr).toMatch(/ended without cleaning up \(deploy-new\): removed .*database server/);
    expect(still(seen)).toEqual([]);
    expect(project.left()).toEqual([]);
    // The second one had a bug of its own: a probe that says yes whatever it is asked.
    expect(failed).toEqual(["fault-seen"]);
    expect(json.verdict).toBe("failed");
    expect(json.checks.find(({ name }) => name === "fault-seen")?.detail).toContain("sees the fault before it is switched on: of course");
  });
});

describe("turns red for", () => {
  test("a fault that is never switched on", async () => {
    project = await makeProject({ definition: withFault("switchOn: async () => undefined") });
    const { code, failed, json } = await project.drill();
    expect(code).toBe(1);
    expect(failed).toEqual(["fault-seen"]);
    expect(json).toMatchObject({ verdict: "failed", rollback: null });
    expect(project.left()).toEqual([]);
  });

  test("a gate opened before verification", async () => {
    project = await makeProject();
    const { code, failed, json } = await project.heldDrill("verify.before", async (site) => {
      const state = readGateState(gateStateFile(site));
      writeGateState(gateStateFile(site), { ...state!, mode: "open" });
      await pause(1_000);
    });
    expect(code).toBe(1);
    expect(json.verdict).toBe("failed");
    expect(failed).toContain("gate-closed-until-verified");
    expect(project.left()).toEqual([]);
  });

  test("a quarantine that is dropped early", async () => {
    project = await makeProject();
    const { code, failed } = await project.heldDrill("finalize.after", async (site) => {
      const name = await quarantineOf(site);
      await sql(site, "postgres", `DROP DATABASE ${quote(name)} WITH (FORCE)`);
    });
    expect(code).toBe(1);
    expect(failed).toContain("quarantine-kept");
  });

  test("an empty export, although the record says it is as it should be, and one row changed in the restored data", async () => {
    project = await makeProject();
    const { code, failed, json } = await project.heldDrill("finalize.after", async (site) => {
      const files = filesBelow(join(site.home, "exports")).filter((path) => /\.(jsonl|csv)$/.test(path));
      expect(files.length).toBeGreaterThan(0);
      for (const file of files) truncateSync(file);
      const sha256 = createHash("sha256").digest("hex");
      await sql(site, stateDatabase(site, pfaVanguard), "UPDATE exports SET rows = 0, sha256 = $1", [sha256]);
      const update =
        "UPDATE pfa_records SET description = description || ' ' WHERE pfa_id = (SELECT max(pfa_id) FROM pfa_records WHERE source = 'import') RETURNING pfa_id";
      expect((await sql(site, liveName(site, "pfa"), update)).rows).toHaveLength(1);
    });
    expect(code).toBe(1);
    expect(failed.sort()).toEqual(["exports-complete", "restored-content"]);
    expect(json.checks.find(({ name }) => name === "restored-content")?.detail).toMatch(/rows of pfa_records have different content/);
  });

  test("a wrong version started, although verification is content", async () => {
    const marker = "go-wrong";
    project = await makeProject({
      // The system's own check of the version is silenced: what the drill sees itself must be enough.
      definition: changed(
        `{ ...pfaVanguard, checks: pfaVanguard.checks.map((check) => (check.id === "health" ? { ...check, run: async () => ({ status: "passed", detail: "not looked" }) } : check)) }`,
      ),
      edits: async (folder) => {
        const release = join(folder, "wrong-backend");
        mkdirSync(release);
        writeFileSync(join(release, "main.ts"), wrongProgram(join(folder, marker)));
        return [
          { path: ["releases", "v3.0.0", "services", "backend", "path"], value: release },
          { path: ["releases", "v3.0.0", "services", "backend", "sha256"], value: await hashFolder(release) },
        ];
      },
    });
    const running = project.start();
    await running.reached("preview");
    writeFileSync(join(project.folder, marker), "");
    const { code, stdout } = await running.ended;
    const { checks } = JSON.parse(stdout) as { checks: { name: string; status: string; detail: string }[] };
    expect(code).toBe(1);
    expect(checks.filter(({ status }) => status === "failed")).toEqual([
      { name: "releases-outside", status: "failed", detail: "backend answers as v2.9.9, pinned is v3.0.0" },
    ]);
  });
});

/** Backend v3.0.0, until the marker is there: then another version, as if the wrong artefact had been published under its name. */
function wrongProgram(marker: string): string {
  const folder = join(PROJECT, "systems", "pfa-vanguard", "releases", "v3.0.0", "backend");
  const source = readFileSync(join(folder, "main.ts"), "utf8")
    .replaceAll(/from "(\.\.[^"]*)"/g, (_whole, path: string) => `from ${JSON.stringify(join(folder, path))}`)
    .replace(
      'const release = "v3.0.0";',
      `import { existsSync } from "node:fs";\nconst release = existsSync(${JSON.stringify(marker)}) ? "v2.9.9" : "v3.0.0";`,
    );
  expect(source).toContain("v2.9.9");
  return source;
}

async function quarantineOf(site: Site): Promise<string> {
  const { rows } = await sql(site, "postgres", "SELECT datname AS name FROM pg_database WHERE datname LIKE '%\\_quarantine\\_%'");
  expect(rows).toHaveLength(1);
  return String(rows[0]?.["name"]);
}
