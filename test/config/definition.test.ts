import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { checkDefinition } from "../../config/definition.ts";
import { loadSystem, systemNames } from "../../config/load-system.ts";
import type { SystemDefinition } from "../../config/system/definition.ts";
import { refusal, wrongIn } from "./definition/refused.ts";
import { configOf, definition, pinsOf } from "./sample.ts";

type Loose = Record<string, unknown>;

const service = (change: Loose): SystemDefinition =>
  ({
    ...definition,
    services: { ...definition.services, backend: { ...definition.services["backend"], ...change } },
  }) as SystemDefinition;
const listener = (change: Loose): SystemDefinition =>
  ({
    ...definition,
    listeners: { ...definition.listeners, frontend: { ...definition.listeners["frontend"], ...change } },
  }) as SystemDefinition;
const database = (change: Loose): SystemDefinition =>
  ({ ...definition, databases: { pfa: { ...definition.databases["pfa"], ...change } } }) as SystemDefinition;
const scope = (change: Loose): SystemDefinition =>
  ({ ...definition, scopes: { ...definition.scopes, quick: { ...definition.scopes["quick"], ...change } } }) as SystemDefinition;

describe("a definition that is wrong is refused where it is loaded", () => {
  it.each<[string, unknown, RegExp]>([
    ["no definition", null, /definition\.: .*must be a map|definition/],
    [
      "a message that is missing",
      { ...definition, maintenanceMessage: undefined },
      /^definition\.maintenanceMessage is missing: must be a string$/,
    ],
    [
      "a key with a slip",
      { ...definition, maintenanceMesage: "x" },
      /^definition\.maintenanceMesage: "x" is not allowed: unknown key.*did you mean `maintenanceMessage`/,
    ],
    [
      "a kind there is not",
      service({ kind: "deamon" }),
      /^definition\.services\.backend\.kind: "deamon".*`service` or `worker` or `static`/,
    ],
    ["a service without a program", service({ entry: undefined }), /services\.backend\.entry is missing.*program/],
    ["a service of an unknown database", service({ databases: ["pfaa"] }), /services\.backend\.databases\.0: "pfaa".*did you mean `pfa`/],
    ["a health path without slash", service({ health: { path: "health", timeoutMs: 1 } }), /health\.path: "health".*begin with \//],
    ["an environment that is no function", service({ environment: { PORT: "1" } }), /environment.*must be a function/],
    [
      "a listener of a misspelt service",
      listener({ service: "frontent" }),
      /listeners\.frontend\.service: "frontent".*did you mean `frontend`/,
    ],
    ["a route to a misspelt service", listener({ routes: { "/api": "backent" } }), /routes\.\/api: "backent".*did you mean `backend`/],
    [
      "a listener under another name",
      { ...definition, listeners: { web: { service: "frontend" } } },
      /listeners\.web: "web".*call it frontend/,
    ],
    ["a stop order with a stranger", { ...definition, stopOrder: ["wrker"] }, /stopOrder\.0: "wrker".*did you mean `worker`/],
    ["an unknown engine", database({ engine: "mysql" }), /databases\.pfa\.engine: "mysql".*`postgres` or `sqlite`/],
    [
      "the ledger of another engine",
      database({ engine: "sqlite", ledger: "supabase" }),
      /ledger: "supabase".*auto or prisma.*engine sqlite/,
    ],
    ["an unknown ledger", database({ ledger: "alembik" }), /databases\.pfa\.ledger: "alembik".*`auto`.*`alembic`.*`sqlx`/],
    [
      "a folder of migrations that is nowhere",
      database({ migrations: "nowhere" }),
      /databases\.pfa\.migrations: "nowhere".*no such folder.*Flyway/,
    ],
    ["a command that reverts and none that applies", database({ migrateDown: "alembic downgrade -1" }), /migrateDown.*needs `migrate`/],
    [
      "a command without migrations",
      database({ migrate: "alembic upgrade head", migrations: [] }),
      /migrations: \[\].*that `migrate` applies/,
    ],
    ["a variable that none can be", database({ urlVariable: "DATABASE URL" }), /urlVariable: "DATABASE URL".*environment variable/],
    [
      "a migration that is nowhere",
      database({ migrations: [{ name: "a", path: "nowhere" }] }),
      /migrations\.0\.path: "nowhere".*migration\.sql/,
    ],
    ["a table named twice", database({ tables: ["users", "users"], principalTable: "users" }), /tables\.1: "users".*twice/],
    ["a scope with an unknown check", scope({ checks: ["helth"] }), /scopes\.quick\.checks\.0: "helth".*did you mean `health`/],
    ["a scope with an unknown pin", scope({ pins: { relaese: "to" } }), /scopes\.quick\.pins\.relaese: "to".*did you mean `release`/],
    [
      "a name that is none",
      { ...definition, databases: JSON.parse('{ "__proto__": {} }') as unknown },
      /^definition\.databases\.__proto__: .*reserved name: choose another$/,
    ],
    ["a default scope that is none", { ...definition, defaultScope: "quik" }, /defaultScope: "quik".*did you mean `quick`/],
  ])("%s", (_what, wrong, message) => {
    expect(wrongIn(wrong).join("\n")).toMatch(message);
  });
});

it.each(systemNames())("the definition of %s is right", async (name) => {
  expect(wrongIn(await loadSystem(name))).toEqual([]);
});

describe("ports", () => {
  const ports = configOf().ports;
  it.each<[string, Loose, RegExp]>([
    ["a port that nobody has", { ...ports, wrker: 8450 }, /^backout:ports\.wrker: 8450 is not allowed.*did you mean `worker`/],
    ["a listener without a port", { ...ports, frontend: undefined }, /^backout:ports\.frontend is missing/],
    ["a port given twice", { ...ports, backend: ports["frontend"] }, /is not allowed: backout:ports\.\w+ has this port already/],
    ["the port of the server", { ...ports, backend: 5440 }, /backout:server\.port has this port already/],
  ])("%s is refused", (_what, wrong, message) => {
    const given = Object.fromEntries(Object.entries(wrong).filter(([, port]) => port !== undefined));
    expect(refusal(() => pinsOf({ ports: given })).join("\n")).toMatch(message);
  });
});

it("names of what every object has are names of nothing", () => {
  for (const name of ["constructor", "toString", "hasOwnProperty"]) {
    expect(refusal(() => pinsOf({ release: name })).join("\n")).toMatch(/not in the ledger/);
    expect(refusal(() => pinsOf({ services: { [name]: { run: "off" } } })).join("\n")).toMatch(/no such service/);
  }
});

it("migrations that Flyway repeats need the command that repeats them", () => {
  const folder = mkdtempSync(join(tmpdir(), "backout-flyway-"));
  for (const name of ["V1__a.sql", "R__views.sql"]) writeFileSync(join(folder, name), "SELECT 1");
  try {
    const given = { migrations: folder, tables: [], principalTable: "" };
    expect(wrongIn(database(given)).join("\n")).toMatch(/databases\.pfa\.migrate is missing: only Flyway itself runs R__views\.sql/);
    expect(wrongIn(database({ ...given, migrate: "flyway migrate" })).join("\n")).not.toMatch(/R__views/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

describe("what a definition may leave to backout", () => {
  const folder = definition.databases["pfa"]!.migrations[0]!.path.split("/")[0]!;
  const { ledger: _, ...described } = definition.databases["pfa"]!;
  const short = { ...definition, databases: { pfa: { ...described, migrations: folder } } };

  it("the list of migrations in a folder, and which ledger they are kept in", () => {
    const { layout, ledger, migrations } = checkDefinition(short).databases["pfa"]!;
    expect([layout, ledger, migrations]).toEqual(["folders", "auto", definition.databases["pfa"]!.migrations]);
  });

  it("the same definition is read once, and one that leaves out nothing is itself", () => {
    expect(checkDefinition(short)).toBe(checkDefinition(short));
    expect(checkDefinition(definition)).toBe(definition);
  });
});
