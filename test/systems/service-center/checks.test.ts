// Longer than 300 lines: every check is planted against on one running system.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { postgresSession } from "../../../databases/postgres/sql-session.ts";
import { applyMigration, rollBackMigration } from "../../../databases/postgres/migrations.ts";
import type { DrillContext } from "../../../config/system/drill.ts";
import type { Baseline, CheckContext } from "../../../config/system/check.ts";
import type { EvidenceContext } from "../../../config/system/evidence.ts";
import { DATABASE } from "../../../systems/service-center/api.ts";
import { definition as serviceCenter } from "../../../systems/service-center/definition.ts";
import { accessTo } from "../../support/access.ts";
import { readObjects } from "../../../databases/postgres/schema-objects.ts";
import { CONFIG, makeStand, MIGRATIONS, secret, type App, type Stand } from "./stand.ts";

let stand: Stand;
let app: App;
let baseline: Baseline;

beforeAll(async () => {
  stand = await makeStand();
  await stand.migrate("phase-1");
  await serviceCenter.drill.seed(accessTo(stand.admin), 200);
  await stand.admin.query("SELECT refresh_reports()");
  baseline = {
    at: new Date().toISOString(),
    release: "phase-1",
    counts: { service_tickets: 200, customers: 10, products: 20, parts: 60 },
    latencyMs: 3,
    flags: {},
    objects: { [DATABASE]: await readObjects(stand.admin) },
  };
  app = await stand.start("phase-1");
}, 120_000);
afterAll(() => stand.remove());

function context(change: Partial<CheckContext> = {}): CheckContext {
  return {
    url: () => app.url,
    fetch: (url, init) => fetch(url, { ...init, signal: AbortSignal.timeout(10_000) }),
    ...accessTo(stand.admin),
    releases: { app: "phase-1" },
    running: { app: true },
    secret,
    configuration: () => CONFIG["phase-1"]!,
    recorded: baseline.objects ?? null,
    baseline,
    dataRestored: true,
    open: false,
    counting: change.open === true ? "any" : "exact",
    errorLog: async () => Promise.resolve([]),
    flags: {},
    maintenance: { mode: "off", message: "" },
    schema: "keep",
    observe: async () => Promise.resolve({ running: true, release: app.release, pid: 1 }),
    ...change,
  };
}

async function run(id: string, change: Partial<CheckContext> = {}): Promise<string> {
  const { status, detail } = await serviceCenter.checks.find((each) => each.id === id)!.run(context(change));
  return `${status}: ${detail}`;
}

/** Does damage, tries, and mends it again. */
async function planted(damage: string, mend: string, id: string): Promise<string> {
  await stand.admin.query(damage);
  try {
    return await run(id);
  } finally {
    await stand.admin.query(mend);
  }
}

const POLICY = "CREATE POLICY parts_own_tenant ON parts USING (tenant_id = current_tenant()) WITH CHECK (tenant_id = current_tenant())";

test("all pass on a system that is back at Phase 1, and leave nothing behind", async () => {
  for (const { id } of serviceCenter.checks) expect(await run(id), id).toMatch(/^passed: /);
  expect(await run("counts")).toMatch(/service_tickets 200 \(before: 200\)/);
});

test("a role that reads one table for its reports is no way into the others", async () => {
  await stand.admin.query("CREATE ROLE reports LOGIN; GRANT SELECT ON service_tickets TO reports; GRANT reports TO CURRENT_USER");
  try {
    expect(await run("rls-isolation")).toMatch(/^passed: .*reports/);
  } finally {
    await stand.admin.query("DROP OWNED BY reports; DROP ROLE reports");
  }
});

describe("a planted bug turns its check red", () => {
  test.each([
    [
      "a policy is missing after the restore",
      "DROP POLICY parts_own_tenant ON parts",
      POLICY,
      "rls-policies",
      /policy parts.parts_own_tenant is missing/,
    ],
    [
      "row security was left off",
      "ALTER TABLE parts DISABLE ROW LEVEL SECURITY",
      "ALTER TABLE parts ENABLE ROW LEVEL SECURITY",
      "rls-isolation",
      /as tenant north: reads 30 rows of other tenants in parts/,
    ],
    [
      "a policy lets everybody read",
      "CREATE POLICY open ON service_tickets FOR SELECT USING (true)",
      "DROP POLICY open ON service_tickets",
      "rls-isolation",
      /reads 100 rows of other tenants in service_tickets/,
    ],
    [
      "a policy lets others write",
      "CREATE POLICY open ON customers FOR INSERT WITH CHECK (true)",
      "DROP POLICY open ON customers",
      "rls-isolation",
      /may write a row of tenant/,
    ],
    [
      "a trigger is disabled",
      "ALTER TABLE service_tickets DISABLE TRIGGER service_tickets_updated_at",
      "ALTER TABLE service_tickets ENABLE TRIGGER service_tickets_updated_at",
      "triggers-recorded",
      /trigger service_tickets.service_tickets_updated_at is .*ENABLED D/,
    ],
    [
      "a trigger does not work",
      "ALTER TABLE service_tickets DISABLE TRIGGER service_tickets_updated_at",
      "ALTER TABLE service_tickets ENABLE TRIGGER service_tickets_updated_at",
      "triggers-functioning",
      /does not move updated_at/,
    ],
    [
      "a materialised view was not refreshed",
      "REFRESH MATERIALIZED VIEW reporting.ticket_summary WITH NO DATA",
      "SELECT refresh_reports()",
      "materialised-views",
      /ticket_summary/,
    ],
    [
      "a row lost its parent",
      "SET session_replication_role = replica; UPDATE parts SET product_id = 999 WHERE id = 1; RESET session_replication_role",
      "UPDATE parts SET product_id = 1 WHERE id = 1",
      "no-orphans",
      /1 rows of parts/,
    ],
    [
      "task_templates came back",
      "CREATE TABLE task_templates (i int)",
      "DROP TABLE task_templates",
      "phase-2-tables-gone",
      /task_templates exists.*--scope full/,
    ],
    [
      "a customer is missing",
      "SET session_replication_role = replica; DELETE FROM customers WHERE id = 1; RESET session_replication_role",
      "INSERT INTO customers (id, tenant_id, name) VALUES (1, 'north', 'Customer 1')",
      "counts",
      /customers has 9 rows/,
    ],
    [
      "a sequence is behind",
      "SELECT setval('customers_id_seq', 3)",
      "SELECT setval('customers_id_seq', 10)",
      "sequences",
      /customers_id_seq stands at 3/,
    ],
  ])("%s", async (_what, damage, mend, id, told) => {
    expect(await planted(damage, mend, id)).toMatch(told);
    expect(await run(id), "mended").toMatch(/^passed/);
  });

  test("templates still visible, and their pages still there", async () => {
    const shows = (path: string, answer: () => Response): Partial<CheckContext> => ({
      fetch: async (url, init) => (url.endsWith(path) ? answer() : fetch(url, init)),
    });
    expect(
      await run(
        "smoke-no-phase-2",
        shows("/dashboard", () => new Response("<nav>Templates</nav>")),
      ),
    ).toBe('failed: /dashboard shows "Templates"');
    expect(
      await run(
        "smoke-no-phase-2",
        shows("/api/tasks", () => new Response("{}")),
      ),
    ).toBe("failed: /api/tasks (My Tasks) answers 200, not 404");
  });

  test("settings of Phase 2, another region and another key are told", async () => {
    const wrong = await stand.start("phase-1", { ...CONFIG["phase-1"], SETUP_REGION: "north", PHASE2_TEMPLATES: "on" });
    try {
      const seen = { url: () => wrong.url };
      expect(await run("environment-variables", seen)).toMatch(/SETUP_REGION is north, declared is central/);
      expect(await run("environment-no-phase-2-flags", seen)).toMatch(/^failed: PHASE2_TEMPLATES must not be set/);
      expect(await run("environment-keys", { secret: (name) => (name.startsWith("supabase") ? "another" : secret(name)) })).toMatch(
        /^failed/,
      );
    } finally {
      await wrong.stop();
    }
  });

  test("nothing recorded of Phase 1 is no pass", async () => {
    expect(await run("rls-policies", { recorded: null, baseline: { ...baseline, release: "phase-2" } })).toMatch(
      /^failed: nothing was recorded/,
    );
  });
});

describe("Phase 2", () => {
  afterEach(async () => {
    for (const migration of MIGRATIONS.slice(2).reverse()) await rollBackMigration(stand.admin, migration, { owner: "owner" });
  });

  test("Phase 1 on its schema: the checks say that the database was left behind, and no ticket can be created", async () => {
    await stand.migrate("phase-2");
    expect(await run("phase-2-tables-gone")).toMatch(/the application is rolled back to Phase 1 and the database is not/);
    expect(await run("smoke-create-ticket")).toMatch(/^failed: POST \/api\/tickets answered 500/);
  });

  test("its program passes on its schema, shows its features, and makes tasks from templates", async () => {
    await stand.migrate("phase-2");
    const newer = await stand.start("phase-2");
    try {
      const change: Partial<CheckContext> = {
        url: () => newer.url,
        releases: { app: "phase-2" },
        configuration: () => CONFIG["phase-2"]!,
        recorded: null,
        dataRestored: false,
      };
      await stand.admin.query("SELECT refresh_reports()");
      for (const { id } of serviceCenter.checks) expect(await run(id, change), id).toMatch(/^(passed|skipped): /);
      const html = await (await fetch(`${newer.url}/dashboard`)).text();
      expect(html).toMatch(/My Tasks.*Templates/);
      const fault = serviceCenter.drill.faults["rls-failure"]!;
      const drill = { ...accessTo(stand.admin), url: () => newer.url, secret } as unknown as DrillContext;
      expect(await fault.probe(drill)).toBeNull();
      await fault.switchOn(drill);
      expect(await fault.probe(drill)).toMatch(/tenant south reads \d+ tickets/);
      await stand.admin.query("DROP POLICY service_tickets_support ON service_tickets");
    } finally {
      await newer.stop();
    }
  });

  test("a migration that fails half-way is taken back newest first, and the row it failed on stays", async () => {
    await stand.admin.query("INSERT INTO service_tickets (tenant_id, subject) VALUES ('north', repeat('long ', 48))");
    try {
      await applyMigration(stand.admin, MIGRATIONS[2]!, { owner: "owner" });
      await expect(applyMigration(stand.admin, MIGRATIONS[3]!, { owner: "owner" })).rejects.toThrow(/service_tickets_subject_length/);
      const { rows } = await stand.admin.query<{ there: boolean }>("SELECT to_regclass('service_ticket_tasks') IS NOT NULL AS there");
      expect(rows[0]!.there).toBe(false);
      for (const migration of [MIGRATIONS[3]!, MIGRATIONS[2]!]) await rollBackMigration(stand.admin, migration, { owner: "owner" });
      expect(await run("phase-2-tables-gone")).toMatch(/^passed/);
      expect(await run("rls-policies")).toMatch(/^passed/);
      expect((await stand.admin.query("SELECT FROM service_tickets WHERE char_length(subject) > 200")).rowCount).toBe(1);
    } finally {
      await stand.admin.query("DELETE FROM service_tickets WHERE char_length(subject) > 200");
    }
  });

  test("the error log of the application that is left is kept while it still runs; an empty one says so", async () => {
    const log = serviceCenter.evidence!.captures.find(({ id }) => id === "error-log")!;
    expect(log).toMatchObject({ moment: "protect", file: "app_errors_{stamp}.log" });
    const of = (lines: string[]) => log.capture({ errorLog: () => Promise.resolve(lines) } as unknown as EvidenceContext, log.file);
    expect([await of(["first", "second"]), await of([])]).toEqual(["first\nsecond\n", "(none)\n"]);
  });

  test("rows of Phase 2 alone are kept as CSV with a header, whatever they hold, before their tables go; a table that is not there leaves none", async () => {
    const folder = mkdtempSync(join(tmpdir(), "backout-service-center-"));
    const { captures } = serviceCenter.evidence!;
    const tables = captures.filter(({ file }) => file.endsWith(".csv"));
    expect(tables.map(({ moment }) => moment)).toEqual(["fenced", "fenced"]);
    const capture = async (): Promise<void> => {
      const at = { session: () => Promise.resolve(postgresSession(stand.admin)), path: (file: string) => join(folder, file) };
      for (const one of tables) await one.capture(at as unknown as EvidenceContext, `${one.id}.csv`);
    };
    try {
      await capture();
      expect(readdirSync(folder)).toEqual([]);
      for (const migration of MIGRATIONS.slice(2)) await applyMigration(stand.admin, migration, { owner: "owner" });
      const title = 'call back, "urgent"\nand twice';
      await stand.admin.query(
        "INSERT INTO service_ticket_tasks (tenant_id, ticket_id, title) SELECT 'north', id, $1 FROM service_tickets LIMIT 3",
        [title],
      );
      await capture();
      const kept = readFileSync(join(folder, "service_ticket_tasks-csv.csv"), "utf8");
      expect(kept.split("\r\n")[0]).toBe("id,tenant_id,ticket_id,template_id,title,status,assigned_to,created_at,updated_at");
      // A null is an empty field; what holds a comma, a quote or a line break is quoted.
      expect(kept.match(/,,"call back, ""urgent""\nand twice",pending,,[^,]+,[^,]+\r\n/g)).toHaveLength(3);
      expect(readFileSync(join(folder, "task_templates-csv.csv"), "utf8").split("\r\n")).toHaveLength(6);
    } finally {
      for (const migration of MIGRATIONS.slice(2).reverse()) await rollBackMigration(stand.admin, migration, { owner: "owner" });
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
