import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { loadChecks, withFileChecks } from "../../../config/checks/load.ts";
import { checkDefinition } from "../../../config/definition.ts";
import type { Baseline, CheckContext, CheckResult, ViolationQuery } from "../../../config/system/check.ts";
import type { SystemDefinition } from "../../../config/system/definition.ts";
import { definition } from "../sample.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "backout-checks-"));
  mkdirSync(join(folder, "verify"));
  symlinkSync(join(definition.folder, "migrations"), join(folder, "migrations"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const file = (name: string, text: string, mode = 0o644): void => {
  writeFileSync(join(folder, "verify", name), text);
  chmodSync(join(folder, "verify", name), mode);
};
const load = (change: Partial<SystemDefinition> = {}) => loadChecks(folder, { ...definition, ...change });

const BASELINE: Baseline = { at: "2026-01-01T00:00:00Z", release: "v1", counts: { orders: 7 }, latencyMs: 3, flags: {}, objects: {} };
const context = (change: Partial<CheckContext> = {}): CheckContext =>
  ({
    url: (service: string) => `http://127.0.0.1:1/${service}`,
    passHeaders: { "x-backout-pass": "let me in" },
    connection: async (database: string, { writes }: { writes: boolean }) =>
      `postgresql://services:s3cret@127.0.0.1/${database}${writes ? "" : "?options=read"}`,
    secret: (name: string) => `the ${name}`,
    release: "v2",
    releases: { api: "v2" },
    running: { api: true },
    scope: "quick",
    baseline: BASELINE,
    flags: {},
    maintenance: { mode: "off", message: "" },
    ...change,
  }) as CheckContext;
const run = async (id: string, change: Partial<CheckContext> = {}): Promise<Omit<CheckResult, "name">> =>
  load()
    .find((check) => check.id === id)!
    .run(context(change));

describe("checks of the folder verify/", () => {
  it("are found by name; what is hidden, in a folder, data or a module of theirs is none", () => {
    file("orders.sql", "-- title: Orders have customers\nSELECT 1");
    file("smoke.mjs", "echo(1)");
    file("stock-levels.py", "#!/usr/bin/env python3\n# writes: true\n# timeout: 5s\n", 0o755);
    for (const [name, text] of [
      [".notes", "#!"],
      ["shared.js", "export const a = 1"],
      ["README.md", "# Checks"],
      ["data.json", "{}"],
    ])
      file(name!, text!);
    mkdirSync(join(folder, "verify", "more.sql"));
    expect(load().map(({ id, title, writes, asks }) => ({ id, title, writes, asks }))).toEqual([
      { id: "orders", title: "Orders have customers", writes: undefined, asks: true },
      { id: "smoke", title: "smoke", writes: undefined, asks: true },
      { id: "stock-levels", title: "stock levels", writes: true, asks: undefined },
    ]);
    rmSync(join(folder, "verify"), { recursive: true });
    expect(load()).toEqual([]);
  });

  it("every mistake is refused at once, with file and line", () => {
    file("a.sql", "-- title: A\n-- database: pfaa\nSELECT 1");
    file("b.mjs", "// titl: B\n");
    file("c.sh", "#!/bin/sh\n");
    file("d.rb", "# title: D\n");
    file("e e.sql", "SELECT 1");
    file("f.sql", "SELECT 1");
    file("f.mjs", "");
    const refused = (() => {
      try {
        return load().length;
      } catch (error) {
        return (error as Error).message;
      }
    })();
    expect(refused).toMatch(/verify\/a\.sql:2: "pfaa".*did you mean `pfa`/);
    expect(refused).toMatch(/verify\/b\.mjs:1: "titl".*did you mean `title`/);
    expect(refused).toMatch(/verify\/c\.sh: .*chmod \+x .*c\.sh/);
    expect(refused).toMatch(/verify\/d\.rb: .*chmod/);
    expect(refused).toMatch(/verify\/e e\.sql: .*rename the file/);
    expect(refused).toMatch(/verify\/f\.sql: "f".*f\.mjs is called so, too/);
  });

  it("an SQL file needs a database, and the name of one where there are several", () => {
    file("orders.sql", "SELECT 1");
    expect(() => load({ databases: {} })).toThrow(/orders\.sql:1: .*no database/);
    const { pfa } = definition.databases;
    expect(() => load({ databases: { pfa: pfa!, other: pfa! } })).toThrow(
      /orders\.sql:1: .*`-- database: …` is missing: .*one of pfa, other/,
    );
  });

  it("come after the definition's own, in every scope or in those they name; the whole is validated as any definition", () => {
    file("everywhere.sql", "SELECT 1");
    file("quick-only.sql", "-- scopes: quick\nSELECT 1");
    const { drill: _drill, ...rest } = definition;
    const all = checkDefinition({ ...rest, folder });
    expect(all.checks.slice(-2).map(({ id }) => id)).toEqual(["everywhere", "quick-only"]);
    for (const [scope, { checks }] of Object.entries(all.scopes))
      expect(checks, scope).toEqual([...definition.scopes[scope]!.checks, "everywhere", ...(scope === "quick" ? ["quick-only"] : [])]);
    expect(withFileChecks(all)).toBe(all);
    file("count.sql", "SELECT 1");
    expect(() => withFileChecks({ ...definition, folder })).toThrow(/count\.sql: "count".*the definition has a check of that name/);
  });
});

describe("an SQL file", () => {
  const query: ViolationQuery[] = [];
  const rows = (found: Record<string, unknown>[]): Partial<CheckContext> => ({
    violations: async (asked) => {
      query.push(asked);
      return found;
    },
  });

  it("passes without a row, and shows a few of those it returns", async () => {
    file("orders.sql", "-- timeout: 3s\nSELECT id FROM orders");
    expect(await run("orders", rows([]))).toEqual({ status: "passed", detail: "no row violates it", figures: { violations: 0 } });
    expect(query.at(-1)).toMatchObject({ database: "pfa", engine: "postgres", writes: false, timeoutMs: 3000 });
    expect(await run("orders", rows([{ id: 7, customer: null }]))).toMatchObject({
      status: "failed",
      detail: "1 row violates it: id 7, customer null",
    });
    const many = Array.from({ length: 1001 }, (_, id) => ({ id, text: "\u001b".padEnd(400, "x ") }));
    const { detail, figures } = await run("orders", rows(many));
    expect(detail).toMatch(/^more than 1000 rows violate it: id 0, text \\u001b.*…; id 1.*; …$/);
    expect(detail.length).toBeLessThan(800);
    expect(figures).toEqual({ violations: 1000 });
  });

  it("that passes shows the first row of its query, which cannot fail it", async () => {
    file("orders.sql", "-- writes: true\n-- shows: SELECT count(*) AS orders, 'all of them sold' FROM orders\nSELECT id FROM orders");
    const answers = (row: () => Record<string, unknown>[]): Partial<CheckContext> => ({
      violations: async (asked) => {
        query.push(asked);
        return asked.script.startsWith("SELECT count") ? row() : [];
      },
    });
    const all = { orders: "7", text: "all of them sold" };
    const seen = { status: "passed", detail: "orders 7, all of them sold", figures: { orders: 7, violations: 0 } };
    expect(
      await run(
        "orders",
        answers(() => [all]),
      ),
    ).toEqual(seen);
    expect(query.at(-1)).toMatchObject({ database: "pfa", writes: false, limit: 1 });
    const fails = answers(() => {
      throw new Error("no such column");
    });
    expect(await run("orders", fails)).toEqual({
      status: "passed",
      detail: "no row violates it; the query of `shows` failed: no such column",
      figures: { violations: 0 },
    });
  });

  it("fails where no session can be had", async () => {
    file("orders.sql", "SELECT 1");
    expect((await run("orders")).status).toBe("failed");
  });
});

describe("an executable", () => {
  it("gets the facts as JSON and as variables, and answers by JSON", async () => {
    file(
      "facts.mjs",
      `// secrets: test-user-password
const facts = JSON.parse(await stdin());
const figures = { orders: facts.baseline.counts.orders };
const { DATABASE_URL, BACKOUT_RELEASE, BACKOUT_SCOPE, BACKOUT_BASELINE, BACKOUT_URL_FRONTEND, BACKOUT_SECRET_TEST_USER_PASSWORD } = process.env;
const ok = DATABASE_URL === facts.databases.pfa && JSON.parse(BACKOUT_BASELINE).counts.orders === 7 && !("objects" in JSON.parse(BACKOUT_BASELINE));
echo(JSON.stringify({ ok, figures, message: [BACKOUT_RELEASE, BACKOUT_SCOPE, facts.urls.frontend === BACKOUT_URL_FRONTEND, typeof $, BACKOUT_SECRET_TEST_USER_PASSWORD.length].join(" ") }));`,
    );
    expect(await run("facts")).toEqual({ status: "passed", detail: "v2 quick true function 22", figures: { orders: 7 } });
  });

  it("or by its exit code, with what it said last as the message; what is secret is not shown", async () => {
    file("good.sh", "#!/bin/sh\necho one; echo two", 0o755);
    file("bad.sh", '#!/bin/sh\necho "cannot reach $DATABASE_URL with $BACKOUT_PASS" >&2; exit 4', 0o755);
    expect(await run("good")).toEqual({ status: "passed", detail: "one; two" });
    expect(await run("bad")).toEqual({ status: "failed", detail: "it ended with exit code 4: cannot reach … with …" });
  });

  it("that says ok and fails has failed, and so has one that is ended, and one whose answer is none", async () => {
    file("both.sh", `#!/bin/sh\necho '{"ok": true, "message": "fine"}'; exit 1`, 0o755);
    file("no.sh", `#!/bin/sh\necho '{"ok": false}'`, 0o755);
    file("hangs.sh", "#!/bin/sh\n# timeout: 500ms\nsleep 1000", 0o755);
    file("odd.sh", `#!/bin/sh\necho '{"okay": true}'`, 0o755);
    expect(await run("both")).toEqual({ status: "failed", detail: "it ended with exit code 1: fine" });
    expect(await run("no")).toEqual({ status: "failed", detail: "it says that it failed" });
    expect(await run("hangs")).toEqual({ status: "failed", detail: "it did not end within 0.5 s and was ended" });
    expect(await run("odd")).toMatchObject({ status: "failed", detail: expect.stringContaining("its answer is no") as string });
  });

  it("has a session that only reads unless it declares that it writes", async () => {
    file("reads.sh", "#!/bin/sh\ncase $DATABASE_URL in *options=read) exit 0;; esac; exit 1", 0o755);
    file("writes.sh", "#!/bin/sh\n# writes: true\ncase $DATABASE_URL in *options=read) exit 1;; esac; exit 0", 0o755);
    expect((await run("reads")).status).toBe("passed");
    expect((await run("writes")).status).toBe("passed");
  });
});
