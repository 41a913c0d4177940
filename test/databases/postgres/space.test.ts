import fc from "fast-check";
import { afterAll, beforeAll, expect, it } from "vitest";
import { databaseSizeBytes, freeSpace, InsufficientSpaceError, judgeSpace, requireSpace } from "../../../databases/postgres/space.ts";
import { startServer, type TestServer } from "./embedded.ts";

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
}, 60_000);
afterAll(() => server.remove());

it("sees the file system of a local server, and refuses what does not fit before anything is copied", async () => {
  const free = await freeSpace(server.admin, server.endpoint);
  expect(free).toMatchObject({ known: true, path: server.state.dataFolder });
  const size = await databaseSizeBytes(server.admin, "maintenance");
  expect(size).toBeGreaterThan(1_000_000);
  expect((await requireSpace(server.admin, server.endpoint, size)).status).toBe("enough");
  const refused = requireSpace(server.admin, server.endpoint, 1e18);
  await expect(refused).rejects.toThrow(InsufficientSpaceError);
  await expect(refused).rejects.toMatchObject({ neededBytes: 1.3e18, path: server.state.dataFolder });
});

it("says that it does not know about a remote server", async () => {
  expect(await freeSpace(server.admin, { host: "db.example.org" })).toMatchObject({ known: false });
  expect(await requireSpace(server.admin, { host: "db.example.org" }, 1e18)).toMatchObject({ status: "unknown", freeBytes: null });
});

it("refuses exactly when need with margin is more than what is free", () => {
  fc.assert(
    fc.property(fc.nat(), fc.nat(), fc.double({ min: 1, max: 3, noNaN: true }), (freeBytes, size, margin) => {
      const judge = (): unknown => judgeSpace({ known: true, freeBytes, path: "/" }, size, margin);
      if (Math.ceil(size * margin) > freeBytes) expect(judge).toThrow(InsufficientSpaceError);
      else expect(judge()).toMatchObject({ status: "enough" });
    }),
  );
});
