/** A role that a service has of its own, on a real server: it must exist, is kept out by the fence, comes in before users, and stays as it is. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { DatabasePlan } from "../../../config/plan.ts";
import type { StateStore } from "../../../config/record.ts";
import type { Run } from "../../../config/run.ts";
import type { Site } from "../../../config/site.ts";
import type { SystemDefinition } from "../../../config/system/definition.ts";
import { createState } from "../../../databases/open-state.ts";
import { connect, passwordOf, withSession } from "../../../databases/postgres/connection.ts";
import { claimRecord } from "../../../state/identity.ts";
import { ownServer, type OwnServer } from "../postgres/own-server.ts";
import { definitionIn } from "./postgres-stand.ts";
import { postgres } from "./whole.ts";

const NONE: DatabasePlan = { action: { kind: "none" }, up: [], back: [], backBy: "keep" };
const SQL = `
  CREATE ROLE reader;
  CREATE ROLE shop_api LOGIN PASSWORD 'api' IN ROLE reader;
  CREATE ROLE another LOGIN PASSWORD 'other' IN ROLE reader;
  CREATE ROLE sleeper NOLOGIN;
  REVOKE CONNECT ON DATABASE orders FROM PUBLIC; GRANT CONNECT ON DATABASE orders TO reader`;
const TABLE =
  "CREATE TABLE orders (id int PRIMARY KEY, note text); INSERT INTO orders VALUES (1, 'x'); GRANT SELECT, UPDATE ON orders TO shop_api";

let server: OwnServer;
let folder: string;
let site: Site;
let state: StateStore;
const admin = (sql: string) => withSession(server.endpoint, "postgres", (client) => client.query(sql));

beforeAll(async () => {
  server = await ownServer();
  folder = mkdtempSync(join(tmpdir(), "backout-roles-"));
  await admin("CREATE DATABASE orders");
  await admin(SQL);
  await withSession(server.endpoint, "orders", (client) => client.query(TABLE));
  const { port, user } = server.endpoint;
  const password = passwordOf(server.endpoint)!;
  const declared = { embedded: false, host: "127.0.0.1", port, user, password, driver: "template", databases: { shop: "orders" } } as const;
  const home = join(folder, "home");
  site = {
    stack: "roles",
    system: "shop",
    module: null,
    project: folder,
    home,
    target: "process",
    server: declared,
    ports: {},
    files: {},
    adopt: true,
  };
}, 60_000);
afterAll(async () => {
  await state?.end();
  await server.remove();
  rmSync(folder, { recursive: true, force: true });
});

function using(databaseRole: string, databases = ["shop"]): SystemDefinition {
  return { ...definitionIn(folder), services: { api: { databases, databaseRole } } as never };
}

it("one that is not there, or may not log in, is refused by name with the fix", async () => {
  const reasons = (role: string, databases?: string[]) =>
    postgres.foreign({ site, definition: using(role, databases), state: null }, "shop", NONE, []);
  expect(await reasons("nobody_here")).toEqual([
    'definition.services.api.databaseRole: there is no role "nobody_here" on the server: create it (CREATE ROLE "nobody_here" LOGIN PASSWORD …), or correct the name',
  ]);
  expect(await reasons("sleeper")).toEqual([
    'definition.services.api.databaseRole: the role "sleeper" may not log in: ALTER ROLE "sleeper" LOGIN',
  ]);
  expect(await reasons("shop_api")).toEqual([]);
  expect(await reasons("nobody_here", ["another"]), "of another database").toEqual([]);
});

it("loses its sessions in the fence, comes in before users, and keeps its grants", async () => {
  const held = async (): Promise<unknown[]> => {
    const database = await admin("SELECT datacl::text AS acl, datallowconn AS open FROM pg_database WHERE datname = 'orders'");
    const table = await withSession(server.endpoint, "orders", (client) =>
      client.query(
        "SELECT a.privilege_type FROM pg_class, aclexplode(relacl) a WHERE relname = 'orders' AND a.grantee = 'shop_api'::regrole ORDER BY 1",
      ),
    );
    return [String((database.rows[0] as { acl: string }).acl).includes("shop_api"), ...(table.rows as unknown[])];
  };
  const as = (user: string, password: string) => connect({ ...server.endpoint, user, password, passwordFile: undefined }, "orders");
  const before = await held();
  const definition = using("shop_api");
  state = await createState(site, definition);
  await claimRecord(state, site);
  const run: Run = { site, definition, state, epoch: 1, runId: "run-1", log: () => undefined };
  const session = await as("shop_api", "api");
  session.on("error", () => undefined);
  await postgres.keepProperties(run, "shop", true);
  await postgres.close(run, "shop");
  await expect(session.query("SELECT 1")).rejects.toThrow();
  await expect(as("shop_api", "api")).rejects.toThrow();
  await postgres.admit(run, "shop", "services");
  const inside = await as("shop_api", "api");
  expect((await inside.query("UPDATE orders SET note = 'z' WHERE id = 1")).rowCount).toBe(1);
  await inside.end();
  await expect(as("another", "other"), "users are still out").rejects.toThrow();
  await postgres.admit(run, "shop", "everybody");
  await (await as("another", "other")).end();
  expect(await held()).toEqual(before);
  expect(before).toEqual([false, { privilege_type: "SELECT" }, { privilege_type: "UPDATE" }]);
});
