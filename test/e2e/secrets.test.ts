/** The database's passwords are in no state, backup, history, log, record, export, report, output or argument list. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { endpointOf, serverHome } from "../../declared/site.ts";
import { passwordOf } from "../../postgres/connection.ts";
import { layoutOf } from "../../postgres/server-home.ts";
import { serverFolder } from "../../postgres/server.ts";
import { filesBelow, makeStand, pause, PINS, succeeded, type Stand } from "./stand.ts";

let stand: Stand;
beforeAll(async () => {
  stand = await makeStand();
});
afterAll(() => stand?.destroy());

/** By name; each as it is, as part of a connection string, and as JSON and base64 would show it. */
function secrets(): Map<string, string[]> {
  const folder = join(stand.stack.home, "secrets");
  const values = readdirSync(folder).map((name): [string, string] => [name, readFileSync(join(folder, name), "utf8").trim()]);
  values.push(["server password", passwordOf(endpointOf(stand.site))!]);
  return new Map(
    values.map(([name, value]) => [
      name,
      [...new Set([value, encodeURIComponent(value), Buffer.from(value).toString("base64").replace(/=+$/, "")])],
    ]),
  );
}

function leaksIn(where: string, text: string, known: Map<string, string[]>): string[] {
  return [...known].flatMap(([name, forms]) => (forms.some((form) => text.includes(form)) ? [`${name} in ${where}`] : []));
}

function argumentLists(): string[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        return [readFileSync(`/proc/${pid}/cmdline`, "utf8")];
      } catch {
        return [];
      }
    });
}

test("deployed, failed, rolled back, previewed, reported: no secret anywhere but in its own file", async () => {
  const seen = new Set<string>();
  let going = true;
  const watch = (async () => {
    while (going) {
      for (const line of argumentLists()) seen.add(line);
      await pause(10);
    }
  })();
  const outputs: string[] = [];
  const say = async (
    run: Promise<{ output: string; code: number; counts: Record<string, number>; seconds: number }>,
    well = true,
  ): Promise<void> => {
    const update = await run;
    if (well) succeeded(update);
    outputs.push(update.output);
  };
  try {
    await say(stand.up());
    await stand.insertWell("S-1");
    await say(stand.up(PINS.forward));
    await stand.insertWell("S-2");
    const [snapshot] = await stand.snapshots();
    const restore = PINS.restore(`${snapshot!.name}@${snapshot!.generation}`);
    await say(stand.preview(restore, "--json"));
    await stand.interrupt("resume.before", "provider").then(({ output }) => outputs.push(output));
    await say(stand.up());
    for (const verb of ["status", "history", "verify", "preview"]) {
      const { json, stderr } = await stand.verb(verb);
      outputs.push(JSON.stringify(json), stderr);
    }
    await say(stand.pulumi(["stack", "history", "--json"]));
    await say(stand.pulumi(["stack", "export"]));
    await say(stand.up([{ path: ["server", "port"], value: 1 }]), false);
  } finally {
    going = false;
    await watch;
  }
  const known = secrets();
  expect([...known.keys()].sort()).toEqual(["database", "database-owner", "jwt", "pems-token", "server password", "test-user-password"]);
  expect(
    [...seen].some((line) => line.includes("pulumi")),
    "argument lists were seen at all",
  ).toBe(true);
  expect([...seen].flatMap((line) => leaksIn("an argument list", line, known))).toEqual([]);
  expect(outputs.flatMap((text) => leaksIn("an output", text, known))).toEqual([]);
  const own = [join(stand.stack.home, "secrets"), join(stand.stack.home, "postgres")];
  const files = filesBelow(stand.folder).filter((file) => own.every((folder) => !file.startsWith(folder)));
  files.push(layoutOf(serverFolder(serverHome(stand.site))).log);
  for (const expected of [
    "/.backout/state/.pulumi/stacks/",
    "/.pulumi/backups/",
    "/.pulumi/history/",
    "/exports/",
    "/records/",
    "/processes/",
    "/arming/",
  ])
    expect(
      files.some((file) => file.includes(expected)),
      expected,
    ).toBe(true);
  expect(files.flatMap((file) => leaksIn(file, readFileSync(file, "latin1"), known))).toEqual([]);
});
