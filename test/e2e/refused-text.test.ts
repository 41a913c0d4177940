/** Stack files that cannot be meant, given to plain Pulumi and to a verb: told once, in a sentence, with nothing touched. */
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { filesBelow, makeStand, type Stand } from "./stand.ts";

let stand: Stand;
let whole: string;
beforeAll(async () => {
  stand = await makeStand({ system: "orbis-forge", release: "v2.4.0" });
  expect((await stand.pulumi(["preview"])).code).toBe(0);
  whole = stand.text();
});
afterAll(() => stand?.destroy());

interface Told {
  error: { message: string };
}

test.each<[string, (text: string) => string, RegExp]>([
  [
    "a port that nobody has",
    (text) => text.replace("    app-upstream:", "    ap-upstream: 17\n    app-upstream:"),
    /backout:ports\.ap-upstream: 17 is not allowed.*did you mean `app-upstream`/,
  ],
  [
    "a release called constructor",
    (text) => text.replace("backout:release: v2.4.0", "backout:release: constructor"),
    /backout:release: "constructor" is not allowed: not in the ledger/,
  ],
  [
    "a module as the description, as it once was",
    (text) => text.replace("  backout:release:", "  backout:definition: nowhere.ts\n  backout:release:"),
    /backout:definition: "nowhere.ts" is not allowed: this key is gone, the program describes the system: .*new System/,
  ],
])("%s: one error of the program, no stack trace", async (_what, damage, message) => {
  const damaged = damage(whole);
  expect(damaged).not.toBe(whole);
  stand.write(damaged);
  for (const given of [["preview"], ["up", "--yes", "--skip-preview"]]) {
    const { code, output } = await stand.pulumi(given);
    expect(code).not.toBe(0);
    expect(output).toMatch(message);
    expect(output).not.toMatch(/^\s+at .+:\d+:\d+|unhandled/im);
    // Once as it happens, which the engine repeats among its diagnostics.
    expect(output.slice(output.indexOf("Diagnostics:")).match(/is not allowed/g)).toHaveLength(1);
  }
  const { code, json } = await stand.verb<Told>("preview");
  expect({ code, message: json.error.message }).toMatchObject({ code: 3, message: expect.stringMatching(message) as string });
  expect(stand.text()).toBe(damaged);
  expect(filesBelow(join(stand.site.home, "processes"))).toEqual([]);
});

test.each<[string, (text: string) => string, RegExp]>([
  ["an unclosed quote", (text) => text.replace("backout:data: current", 'backout:data: "current'), /line \d+: not valid YAML/],
  [
    "a key given twice",
    (text) => text.replace("  backout:data: current", "  backout:data: current\n  backout:data: current"),
    /line \d+: a key appears twice/,
  ],
  ["a second document", (text) => `${text}---\nconfig: {}\n`, /line \d+: a second document/],
])("%s: refused by every verb that reads the file, with file and line", async (_what, damage, message) => {
  const damaged = damage(whole);
  writeFileSync(stand.stack.file, damaged);
  for (const [verb, ...more] of [
    ["status"],
    ["preview"],
    ["rollback", "--yes"],
    ["deploy", "phase-3.0.0", "--yes"],
    ["history"],
    ["verify"],
    ["freeze", "--reason", "x"],
  ]) {
    const { code, json } = await stand.verb<Told>(verb!, ...more);
    expect(code, verb).toBe(3);
    expect(json.error.message, verb).toMatch(message);
    expect(json.error.message, verb).toContain(stand.stack.file);
  }
  // Of several documents the engine reads the first and takes no notice of the rest; the program does.
  const { code, output } = await stand.pulumi(["up", "--yes", "--skip-preview"]);
  expect(code).not.toBe(0);
  expect(output).not.toMatch(/^\s+at .+:\d+:\d+|unhandled|panic/im);
  expect(stand.text()).toBe(damaged);
  expect(existsSync(join(stand.site.home, "data"))).toBe(false);
});
