/** What a server and the declared driver lack, on a real server with roles of little right. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Server, Site } from "../../../config/site.ts";
import { withSession } from "../../../databases/postgres/connection.ts";
import { examineServer } from "../../../databases/examine.ts";
import { ownServer, type OwnServer } from "../postgres/own-server.ts";
import { definitionIn } from "./postgres-stand.ts";

let server: OwnServer;
let folder: string;
beforeAll(async () => {
  server = await ownServer();
  folder = mkdtempSync(join(tmpdir(), "backout-examine-"));
  await withSession(server.endpoint, "postgres", async (client) => {
    await client.query("CREATE ROLE little LOGIN PASSWORD 'little'; CREATE ROLE shopapp");
    await client.query("CREATE DATABASE used OWNER shopapp");
  });
}, 60_000);
afterAll(async () => {
  await server.remove();
  rmSync(folder, { recursive: true, force: true });
});

const SITE = { stack: "shop", system: "shop", module: null, target: "process", ports: {}, files: {} } as const;

function siteOf(server: Server): Site {
  return { ...SITE, project: folder, home: join(folder, "home"), server };
}

function examined(user: string, driver: "template" | "dump" | "in-place", live = "shop") {
  const { host, port, passwordFile } = server.endpoint;
  const password = user === "little" ? { password: "little" } : { passwordFile };
  const declared = { embedded: false as const, host, port, user, driver, databases: { shop: live }, ...password };
  return examineServer(siteOf(declared), definitionIn(folder));
}

test("a superuser lacks nothing for copies, whether the database is there or not", async () => {
  for (const live of ["shop", "used"]) {
    const found = await examined("backout", "template", live);
    expect(found).toMatchObject({ user: "backout", driver: [], rights: [], tools: null });
    expect(found.version).toMatch(/^\d+/);
  }
});

test("another role lacks what the driver needs, each with its statement", async () => {
  const template = await examined("little", "template", "used");
  expect(template.driver.join()).toMatch(/may not create databases: ALTER ROLE … CREATEDB/);
  expect(template.rights).toEqual(
    expect.arrayContaining(['ALTER ROLE "little" CREATEROLE', 'ALTER ROLE "little" CREATEDB', 'GRANT "shopapp" TO "little"']),
  );
  expect((await examined("little", "template")).rights).toEqual(['ALTER ROLE "little" CREATEROLE', 'ALTER ROLE "little" CREATEDB']);
  expect((await examined("little", "in-place", "used")).rights).toEqual(['GRANT "shopapp" TO "little"']);
});

test("client tools of the server's version are found, or said to be missing", async () => {
  const { driver, tools, version } = await examined("backout", "dump", "used");
  if (tools === null) expect(driver.join()).toMatch(/pg_dump of PostgreSQL \d+, the server's version, was not found.*Install it/);
  else expect(tools.split(".")[0]).toBe(version.split(".")[0]);
});

test("a server that does not answer is an error with its address", async () => {
  const { host, port } = server.endpoint;
  const site = siteOf({
    embedded: false,
    host,
    port: port === 1 ? 2 : 1,
    user: "backout",
    driver: "template",
    databases: {},
    password: "x",
  });
  await expect(examineServer(site, definitionIn(folder))).rejects.toThrow(/127\.0\.0\.1/);
});
