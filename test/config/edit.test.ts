import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { changedLines, editPins, rawConfig, type PinEdit } from "../../config/edit.ts";
import { STACK } from "./sample.ts";

const change = (text: string, ...edits: PinEdit[]) => changedLines(text, editPins(text, edits));

describe("editing pins in a stack file", () => {
  it("changes the one line of a scalar and nothing else", () => {
    expect(change(STACK, { path: ["release"], value: "v3.0.0" })).toEqual({
      removed: ["  backout:release: v4.0.0"],
      added: ["  backout:release: v3.0.0"],
    });
  });

  it("leaves a file alone whose pins are unchanged", () => {
    const edits: PinEdit[] = [
      { path: ["release"], value: "v4.0.0" },
      { path: ["data"], value: "current" },
      { path: ["maintenance"], value: "off" },
      { path: ["services", "worker", "release"], value: undefined },
    ];
    expect(editPins(STACK, edits)).toBe(STACK);
  });

  it("makes the maps a new pin needs and keeps every comment", () => {
    const after = editPins(STACK, [{ path: ["services", "worker", "run"], value: "off" }]);
    expect(changedLines(STACK, after)).toEqual({ removed: [], added: ["  backout:services:", "    worker:", "      run: off"] });
    for (const comment of STACK.split("\n").filter((line) => line.trim().startsWith("#"))) expect(after).toContain(comment);
  });

  it("removes the maps that are empty without the pin, and no others", () => {
    const both = editPins(STACK, [
      { path: ["services", "worker", "run"], value: "off" },
      { path: ["services", "backend", "release"], value: "v3.0.0" },
    ]);
    expect(change(both, { path: ["services", "worker", "run"], value: undefined })).toEqual({
      removed: ["    worker:", "      run: off"],
      added: [],
    });
    const without = editPins(both, [
      { path: ["services", "worker", "run"], value: undefined },
      { path: ["services", "backend", "release"], value: undefined },
    ]);
    expect(without).toBe(STACK);
  });

  it("replaces a word by a map where maintenance gets a message, and back", () => {
    const on = editPins(STACK, [{ path: ["maintenance"], value: { mode: "read-only", message: "Sync is off" } }]);
    expect(changedLines(STACK, on)).toEqual({
      removed: ["  backout:maintenance: off"],
      added: ["  backout:maintenance:", "    mode: read-only", "    message: Sync is off"],
    });
    expect(editPins(on, [{ path: ["maintenance"], value: "off" }])).toBe(STACK);
  });

  it("keeps the comment on the line that changes", () => {
    const text = STACK.replace("backout:release: v4.0.0", "backout:release: v4.0.0 # deployed on Friday");
    expect(change(text, { path: ["release"], value: "v3.0.0" }).added).toEqual(["  backout:release: v3.0.0 # deployed on Friday"]);
  });

  it.each([
    ["maps in braces", "  backout:flags: {sync: true, new-ui: false}\n"],
    ["comments in a column", "  backout:exact: false        # counts rows one by one\n"],
    ["quoted words", "  backout:takeOver: 'another one'\n"],
    ["lines longer than the page", `  backout:blocked:\n    v2.0.0: "INCIDENT-1 ${"and a long story ".repeat(20)}"\n`],
    ["empty lines", "\n  backout:exact: false\n\n"],
    ["digits that are no number", `  backout:blocked:\n    v1: ${"12".repeat(32)}\n    v2: 1.10\n`],
  ])("leaves untouched lines as they were written: %s", (_what, lines) => {
    const text = STACK.replace("  backout:standby: deploy\n", `${lines}  backout:standby: deploy\n`);
    expect(change(text, { path: ["release"], value: "v3.0.0" })).toEqual({
      removed: ["  backout:release: v4.0.0"],
      added: ["  backout:release: v3.0.0"],
    });
  });

  it("keeps an indentation of four", () => {
    const wide = STACK.replaceAll(/^( +)/gm, "$1$1");
    expect(change(wide, { path: ["services", "worker", "run"], value: "off" })).toEqual({
      removed: [],
      added: ["    backout:services:", "        worker:", "            run: off"],
    });
  });

  it("adds to a file without any pins", () => {
    expect(parse(editPins("config: {}\n", [{ path: ["release"], value: "v1" }]))).toEqual({ config: { "backout:release": "v1" } });
    expect(parse(editPins("", [{ path: ["blocked", "v4.0.0"], value: "INCIDENT-7" }]))).toEqual({
      config: { "backout:blocked": { "v4.0.0": "INCIDENT-7" } },
    });
  });

  const name = fc.stringMatching(/^[a-z][a-z0-9.-]{0,8}$/);
  const value = fc.oneof(
    fc.string({ maxLength: 200 }),
    fc.boolean(),
    fc.integer(),
    fc.dictionary(name, fc.oneof(name, fc.boolean()), { minKeys: 1, maxKeys: 3 }),
  );
  const path = fc.oneof(
    fc.tuple(fc.constantFrom("release", "data", "maintenance", "newWrites")),
    fc.tuple(fc.constantFrom("services", "flags", "blocked"), name),
    fc.tuple(fc.constant("services"), fc.constantFrom("worker", "backend"), fc.constantFrom("release", "run")),
  ) as fc.Arbitrary<[string, ...string[]]>;

  it("sets exactly what was asked, whatever it is, and keeps everything else", () => {
    fc.assert(
      fc.property(path, value, (at, wanted) => {
        const before = rawConfig(STACK);
        const after = rawConfig(editPins(STACK, [{ path: at, value: wanted }]));
        const found = at.slice(1).reduce<unknown>((inner, step) => (inner as Record<string, unknown>)[step], after[`backout:${at[0]}`]);
        expect(found).toEqual(wanted);
        for (const [key, untouched] of Object.entries(before)) if (key !== `backout:${at[0]}`) expect(after[key]).toEqual(untouched);
      }),
      { numRuns: 150 },
    );
  });

  it("set and removed again, the file is byte for byte what it was", () => {
    fc.assert(
      fc.property(fc.constantFrom("services", "flags", "blocked"), name, value, (key, inner, wanted) => {
        const set = editPins(STACK, [{ path: [key, inner], value: wanted }]);
        expect(editPins(set, [{ path: [key, inner], value: undefined }])).toBe(STACK);
      }),
      { numRuns: 100 },
    );
  });

  it("the lines that change tell the whole difference", () => {
    fc.assert(
      fc.property(path, value, (at, wanted) => {
        const after = editPins(STACK, [{ path: at, value: wanted }]);
        const { removed, added } = changedLines(STACK, after);
        const lines = STACK.split("\n");
        for (const line of removed) lines.splice(lines.indexOf(line), 1);
        expect([...lines, ...added].sort()).toEqual(after.split("\n").sort());
      }),
      { numRuns: 50 },
    );
  });
});

describe("raw configuration of a stack file", () => {
  it("leaves encrypted values out", () => {
    const text = STACK.replace(
      "  backout:standby: deploy\n",
      "  backout:standby: deploy\n  backout:serverPassword:\n    secure: v1:abc:def\n",
    );
    expect(rawConfig(text)).not.toHaveProperty("backout:serverPassword");
    expect(rawConfig(text)).toEqual(rawConfig(STACK));
  });
});
