/** Two stacks on one server, and a second clone of one: neither knows of the other, and nobody joins what is not theirs. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { PinEdit } from "../../declared/edit.ts";
import { servicesRole } from "../../declared/site.ts";
import { passwordOf } from "../../postgres/connection.ts";
import { ownServer, type OwnServer } from "../postgres/own-server.ts";
import { makeStand, PINS, type Stand } from "./stand.ts";

let server: OwnServer;
const stands: Stand[] = [];
beforeAll(async () => {
  server = await ownServer();
  process.env["BACKOUT_SERVER_PASSWORD"] = passwordOf(server.endpoint);
});
afterAll(async () => {
  for (const stand of stands) await stand.destroy();
  await server.remove();
  delete process.env["BACKOUT_SERVER_PASSWORD"];
});

async function stackOn(database: string, name: string): Promise<Stand> {
  const { host, port, user } = server.endpoint;
  const edits: PinEdit[] = [
    { path: ["server"], value: { host, port, user, driver: "template", databases: { pfa: database } } },
    { path: ["keptAs"], value: name },
  ];
  const stand = await makeStand({ edits });
  stands.push(stand);
  return stand;
}

describe("on one server", () => {
  test("two stacks are deployed, answer and go back, each without the other", async () => {
    const [one, two] = [await stackOn("one", "one"), await stackOn("two", "two")];
    expect(servicesRole(one.site)).not.toBe(servicesRole(two.site));
    await one.upWell();
    await one.insertWell("ONE-1");
    await two.upWell();
    await two.insertWell("TWO-1");
    await one.insertWell("ONE-2");
    await one.upWell(PINS.forward);
    const [snapshot] = await one.snapshots();
    await one.insertWell("ONE-3");
    await one.upWell(PINS.restore(`${snapshot!.name}@${snapshot!.generation}`));
    expect(await one.ids()).toEqual(["ONE-1", "ONE-2"]);
    expect(await two.ids()).toEqual(["TWO-1"]);
    await two.insertWell("TWO-2");
    expect((await two.upWell()).counts["updated"] ?? 0).toBe(0);
  });

  test("a second clone on the same database is refused by plain up and by verbs: nothing of it starts, and it is told whose the record is", async () => {
    const [one] = stands;
    const clone = await stackOn("one", "one");
    const before = one!.pids();
    const update = await clone.up();
    expect(update.code).not.toBe(0);
    expect(update.output).toMatch(/the databases of e2e belong to stack "e2e" of .*: nothing was touched/);
    expect(update.output).toMatch(/backout:takeOver: [0-9a-f-]{36}/);
    expect(clone.gate()).toBeNull();
    const verb = await clone.verb("preview");
    expect(verb.code).toBe(3);
    expect(JSON.stringify(verb.json)).toContain("nothing was touched");
    expect(one!.pids()).toEqual(before);
    expect((await one!.last())?.state).toBe("open");
    expect((await one!.upWell()).counts["updated"] ?? 0).toBe(0);
  });
});
