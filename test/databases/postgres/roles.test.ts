import { afterAll, beforeAll, expect, it } from "vitest";
import { connect } from "../../../databases/postgres/connection.ts";
import { quote } from "../../../databases/shared/identifiers.ts";
import { ensureDatabase, ensureRole, grantServices, scramVerifier, verifierMatches } from "../../../databases/postgres/roles.ts";
import { startServer, type TestServer } from "./embedded.ts";

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
}, 60_000);
afterAll(() => server.remove());

it("ensures roles, and says what it did", async () => {
  const role = { name: 'svc "x"', password: "päss'word", login: true };
  expect(await ensureRole(server.admin, role)).toBe("created");
  expect(await ensureRole(server.admin, role)).toBe("already");
  const client = await connect({ ...server.endpoint, user: role.name, passwordFile: undefined, password: role.password }, "maintenance");
  await client.end();
  expect(await ensureRole(server.admin, { ...role, password: "other" })).toBe("changed");
  expect(await ensureRole(server.admin, { ...role, password: "other" })).toBe("already");
});

it("makes verifiers the server would", () => {
  const verifier = scramVerifier("secret");
  expect(verifierMatches(verifier, "secret")).toBe(true);
  expect(verifierMatches(verifier, "Secret")).toBe(false);
  expect(verifierMatches("md5abc", "secret")).toBe(false);
});

it("gives the services rows, now and in later tables, and nothing else", async () => {
  await ensureRole(server.admin, { name: "owner1", password: "o", login: true });
  await ensureRole(server.admin, { name: "owner2", password: "o", login: true });
  await ensureRole(server.admin, { name: "services1", password: "s", login: true });
  expect(await ensureDatabase(server.admin, { name: "app", owner: "owner2" })).toBe("created");
  expect(await ensureDatabase(server.admin, { name: "app", owner: "owner1" })).toBe("changed");
  expect(await ensureDatabase(server.admin, { name: "app", owner: "owner1" })).toBe("already");
  const owner = await connect({ ...server.endpoint, user: "owner1", passwordFile: undefined, password: "o" }, "app");
  await owner.query("CREATE TABLE before (id serial PRIMARY KEY, note text)");
  const admin = await connect(server.endpoint, "app");
  const grant = { database: "app", role: "services1", owner: "owner1" };
  await grantServices(admin, grant);
  await grantServices(admin, grant);
  await owner.query("CREATE TABLE after (id serial PRIMARY KEY, note text)");
  const services = await connect({ ...server.endpoint, user: "services1", passwordFile: undefined, password: "s" }, "app");
  for (const table of ["before", "after"]) {
    await services.query(`INSERT INTO ${quote(table)} (note) VALUES ('x')`);
    await services.query(`UPDATE ${quote(table)} SET note = 'y'`);
    expect((await services.query(`DELETE FROM ${quote(table)} RETURNING id, note`)).rows).toEqual([{ id: 1, note: "y" }]);
    await expect(services.query(`DROP TABLE ${quote(table)}`)).rejects.toMatchObject({ code: "42501" });
  }
  await expect(services.query("CREATE TABLE own (id int)")).rejects.toMatchObject({ code: "42501" });
  await Promise.all([owner.end(), admin.end(), services.end()]);
});
