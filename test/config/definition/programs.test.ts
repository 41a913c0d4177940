/** What a service runs, how it shows its health and whom it connects as: mistakes are refused with path, value and what is allowed. */
import { describe, expect, it } from "vitest";
import { wrongIn } from "./refused.ts";

const base = { kind: "service", title: "API", databases: [], stopGraceMs: 1000 };
const shop = (api: object, more: object = {}): unknown => ({
  name: "shop",
  title: "Shop",
  folder: import.meta.dirname,
  services: { api: { ...base, ...api } },
  stopOrder: [],
  databases: {},
  listeners: {},
  effects: [],
  scopes: { code: { title: "Code", useWhen: "", budgetSeconds: 60, phaseBudgets: {}, pins: { release: "to" }, checks: [] } },
  defaultScope: "code",
  checks: [],
  maintenanceMessage: "Back soon",
  retryAfterSeconds: 5,
  ...more,
});
const postgres = { engine: "postgres", ledger: "prisma", migrations: [], tables: [], principalTable: "" };
const file = { ...postgres, engine: "sqlite", ledger: "backout" };

describe("a service is refused for", () => {
  it.each<[string, unknown, RegExp]>([
    ["no program", shop({}), /services\.api\.entry is missing: must name the program .*any program in `command`, e\.g\. \["python3"/],
    ["two programs", shop({ entry: "main.js", command: ["sh"] }), /services\.api\.command: \["sh"\] .*remove `command` or `entry`/],
    [
      "a command in one text",
      shop({ command: "python3 app.py" }),
      /services\.api\.command: "python3 app\.py" .*list of the program and its/,
    ],
    ["an empty command", shop({ command: [] }), /services\.api\.command: \[\] .*must name a program first/],
    ["a build without program", shop({ command: ["sh"], build: [""] }), /services\.api\.build: \[""\] .*must name a program first/],
    [
      "a folder outside the release",
      shop({ command: ["sh"], cwd: "../other" }),
      /services\.api\.cwd: "\.\.\/other" .*inside the release folder/,
    ],
    ["an absolute folder", shop({ command: ["sh"], cwd: "/srv" }), /services\.api\.cwd: "\/srv" .*relative to it/],
    ["a program of a static service", shop({ kind: "static", command: ["sh"] }), /services\.api\.command: \["sh"\] .*static.*remove it/],
    ["a build of a static service", shop({ kind: "static", build: ["sh"] }), /services\.api\.build: \["sh"\] .*static.*remove it/],
    ["health without a way to ask", shop({ command: ["sh"], health: { timeoutMs: 1 } }), /services\.api\.health: .*exactly one of `path`/],
    ["two ways to ask", shop({ command: ["sh"], health: { tcp: true, path: "/", timeoutMs: 1 } }), /api\.health: .*exactly one of `path`/],
    [
      "an answer of nothing",
      shop({ command: ["sh"], health: { tcp: true, body: "ok", timeoutMs: 1 } }),
      /health\.body: "ok" .*belongs to `path`/,
    ],
    ["a port that is not asked", shop({ command: ["sh"], health: { tcp: false, timeoutMs: 1 } }), /health\.tcp: false .*must be `true`/],
    ["a typo", shop({ comand: ["sh"] }), /services\.api\.comand: .*did you mean `command`/],
    [
      "a role without database",
      shop({ command: ["sh"], databaseRole: "shop_api" }),
      /databaseRole: "shop_api" .*needs a PostgreSQL database/,
    ],
    [
      "a role of a file",
      shop({ command: ["sh"], databases: ["own"], databaseRole: "shop_api" }, { databases: { own: file } }),
      /databaseRole: "shop_api" .*needs a PostgreSQL database/,
    ],
    ["a password of no role", shop({ command: ["sh"], databaseSecret: "pass" }), /databaseSecret: "pass" .*name it in `databaseRole`/],
    [
      "a generated password of a role that exists",
      shop(
        { command: ["sh"], databases: ["own"], databaseRole: "shop_api" },
        { databases: { own: postgres }, secrets: { shop_api: { generate: true } } },
      ),
      /secrets\.shop_api\.generate: true .*must be given/,
    ],
    [
      "two databases with one variable",
      shop({ command: ["sh"], databases: ["my-shop", "my_shop"] }, { databases: { "my-shop": postgres, my_shop: postgres } }),
      /api\.databases: "my-shop" .*MY_SHOP_DATABASE_URL, too/,
    ],
  ])("%s", (_what, wrong, message) => {
    expect(wrongIn(wrong).join("\n")).toMatch(message);
  });
});

it("any program, with build, folder, role and either health, is right", () => {
  const api = { command: ["python3", "app.py", ""], cwd: "app", build: ["make"], databases: ["own"], databaseRole: "shop_api" };
  const databases = { own: postgres };
  expect(wrongIn(shop({ ...api, databaseSecret: "pass", health: { tcp: true, timeoutMs: 1 } }, { databases }))).toEqual([]);
  expect(wrongIn(shop({ ...api, health: { command: ["pg_isready"], timeoutMs: 1 } }, { databases }))).toEqual([]);
  expect(wrongIn(shop({ entry: "main.js", build: ["npm", "ci"], health: { path: "/", timeoutMs: 1 } }))).toEqual([]);
});
