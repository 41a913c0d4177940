/** Two stacks on one server, and a second clone of one: neither knows of the other, and nobody joins what is not theirs. */
import { cpSync, existsSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { PinEdit } from "../../config/edit.ts";
import { GATE_PROCESS, gateFolder, processFolder, servicesRole } from "../../config/site.ts";
import { identityAt } from "../../state/identity.ts";
import { DESTROY_DATA } from "../../rollout/destroy.ts";
import { passwordOf } from "../../databases/postgres/connection.ts";
import { ownServer, type OwnServer } from "../databases/postgres/own-server.ts";
import { runningNames, stopProcess } from "../../processes/process.ts";
import { runPulumi } from "../../scripts/pulumi/pulumi-run.ts";
import { makeStand, PINS, succeeded, type Stand } from "./stand.ts";

let server: OwnServer;
const stands: Stand[] = [];
const copies: string[] = [];
beforeAll(async () => {
  server = await ownServer();
  process.env["BACKOUT_SERVER_PASSWORD"] = passwordOf(server.endpoint);
});
afterAll(async () => {
  for (const stand of stands) await stand.destroy();
  for (const copy of copies) rmSync(copy, { recursive: true, force: true });
  await server.remove();
  delete process.env["BACKOUT_SERVER_PASSWORD"];
});

/** @param name under which it is kept; absent: its own */
async function stackOn(database: string, name?: string): Promise<Stand> {
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
    const [one, two] = [await stackOn("one"), await stackOn("two", "two")];
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
    const clone = await stackOn("one");
    const before = one!.pids();
    const update = await clone.up();
    expect(update.code).not.toBe(0);
    expect(update.output).toMatch(/the databases of e2e belong to stack "e2e" of .*: nothing was changed/);
    expect(update.output).toMatch(/backout:takeOver: [0-9a-f-]{36}/);
    expect(clone.gate()).toBeNull();
    const verb = await clone.verb("preview");
    expect(verb.code).toBe(3);
    expect(JSON.stringify(verb.json)).toContain("nothing was changed");
    expect(one!.pids()).toEqual(before);
    expect((await one!.last())?.state).toBe("open");
    expect((await one!.upWell()).counts["updated"] ?? 0).toBe(0);
  });
});

describe("another project with a stack of the same name", () => {
  test("is told before anything of it is made, by plain up and by verbs, which line gives it roles of its own", async () => {
    const [one] = stands;
    const other = await stackOn("another");
    const line = /role "backout_pfa_vanguard_e2e_services" on the server is that of stack "e2e" of .*Set backout:keptAs: e2e-2 /;
    const update = await other.up();
    expect([update.code === 0, update.output]).toEqual([false, expect.stringMatching(line)]);
    const verb = await other.verb("preview");
    expect([verb.code, JSON.stringify(verb.json).replaceAll('\\"', '"')]).toEqual([3, expect.stringMatching(line)]);
    expect(await one!.sql("SELECT FROM pg_database WHERE datname LIKE 'another%'", [], "postgres")).toEqual([]);
    expect((await one!.upWell()).counts["updated"] ?? 0).toBe(0);
  });
});

describe("a stack whose folder or name changes", () => {
  test("copied to another place, is refused there while its services run here: by plain up and by verbs", async () => {
    const [one] = stands;
    const before = one!.pids();
    const copy = join(dirname(one!.stack.folder), `${one!.stack.folder.split("/").at(-1)!}-copy`);
    cpSync(one!.stack.folder, copy, { recursive: true, verbatimSymlinks: true });
    copies.push(copy);
    const environment = {
      ...one!.stack.environment,
      BACKOUT_HOME: join(copy, "home"),
      PULUMI_BACKEND_URL: one!.stack.environment["PULUMI_BACKEND_URL"]!.replace(one!.stack.folder, copy),
    };
    const { code, output } = await runPulumi({
      project: copy,
      stack: one!.stack.stack,
      arguments: ["up", "--yes", "--skip-preview"],
      environment,
    });
    expect(code).not.toBe(0);
    expect(output).toMatch(/is a copy of \S+home, where stack "e2e" has its gate and services: nothing was changed/);
    expect(existsSync(join(copy, "home", "gate", "gate.json"))).toBe(true);
    expect(one!.pids()).toEqual(before);
    expect((await one!.upWell()).counts["updated"] ?? 0).toBe(0);
  });

  test("renamed, is told by the exact line how to go on, makes nothing new, and keeps its quarantines and its undo", async () => {
    const [one] = stands;
    const before = one!.pids();
    const [quarantine] = await one!.quarantines();
    succeeded(await one!.pulumi(["stack", "rename", "production"]));
    const file = join(dirname(one!.stack.file), "Pulumi.production.yaml");
    expect([existsSync(one!.stack.file), existsSync(file)]).toEqual([false, true]);
    Object.assign(one!.stack, { stack: "production", file });
    // Homes are named after their stacks.
    Object.assign(one!.stack.environment, { [DESTROY_DATA]: "drop:production", BACKOUT_HOME: join(one!.stack.folder, "production") });

    const line =
      /stack "production" has its roles and its home .* under the name "e2e": nothing was changed\. Set backout:keptAs: e2e in its stack file, and run the command again/;
    const preview = await one!.pulumi(["preview"]);
    expect(preview.code).not.toBe(0);
    expect(preview.output).toMatch(line);
    for (const verb of ["status", "preview"]) {
      const { code, json } = await one!.verb<{ error: { message: string } }>(verb);
      expect([code, json.error.message]).toEqual([3, expect.stringMatching(line)]);
    }

    one!.stack.environment["BACKOUT_HOME"] = one!.stack.home;
    const kept = succeeded(await one!.preview([{ path: ["keptAs"], value: "e2e" }]));
    expect(kept.counts["create"] ?? 0).toBe(0);
    expect(kept.output).not.toMatch(/made new/);
    await one!.upWell();
    expect(one!.pids()).toEqual(before);
    const { json: status } = await one!.verb<{ quarantines: { name: string }[] }>("status");
    expect(status.quarantines.map(({ name }) => name)).toEqual([quarantine!.name]);
    await one!.upWell([...PINS.forward, { path: ["data"], value: `quarantine:${quarantine!.name}` }]);
    expect(await one!.ids()).toEqual(["ONE-1", "ONE-2", "ONE-3"]);
  });
});

describe("a stack whose project is gone", () => {
  test("is taken over by another clone that names it, and its database is open and as it was after destroy", async () => {
    const [one, , clone] = stands;
    const theirs = () =>
      one!.sql(
        "SELECT datdba::regrole::text AS owner, datacl::text AS acl, datconnlimit AS limit, datallowconn AS open FROM pg_database WHERE datname = 'one'",
        [],
        "postgres",
      );
    const { id } = identityAt(one!.site.home)!;
    for (const name of runningNames(processFolder(one!.site))) await stopProcess(processFolder(one!.site), name, 5_000);
    await stopProcess(gateFolder(one!.site), GATE_PROCESS, 5_000);
    const before = await theirs();
    const edits: PinEdit[] = [...PINS.forward, { path: ["keptAs"], value: "e2e" }];
    expect((await clone!.up(edits)).output).toContain(`backout:takeOver: ${id}`);
    await clone!.upWell([{ path: ["takeOver"], value: id }]);
    expect(await clone!.version()).toBe("v4.0.0");
    expect(await theirs()).toEqual(before);
    succeeded(await clone!.pulumi(["destroy", "--yes", "--skip-preview"], { [DESTROY_DATA]: "keep" }));
    expect(await theirs()).toEqual(before);
    expect(await clone!.sql("SELECT count(*)::int AS rows FROM pfa_records WHERE pfa_id LIKE 'ONE-%'")).toEqual([{ rows: 3 }]);
  });
});
