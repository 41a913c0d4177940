/** Which scopes a rollback without options tries, and which release it goes to. */
import { afterEach, describe, expect, test, vi } from "vitest";
import type { ScopeDefinition, SystemDefinition } from "../../../config/system/definition.ts";
import { RefusedError } from "../../../config/errors.ts";
import { plainGoal, previousRelease, scopesOfCode } from "../../../scripts/pulumi/rollback-goal.ts";
import type { OpenStack } from "../../../scripts/pulumi/stack.ts";
import type { Standing } from "../../../scripts/pulumi/standing.ts";

/** What a preview says, by scope. */
const said = vi.hoisted((): { previews: Record<string, object> } => ({ previews: {} }));
vi.mock("../../../scripts/pulumi/stack.ts", () => ({
  openStack: (opened: object, text: string) => Promise.resolve({ ...opened, text }),
}));
vi.mock("../../../scripts/pulumi/preview.ts", () => ({
  previewOf: (_before: unknown, { text }: { text: string }) => Promise.resolve(said.previews[text]),
}));

afterEach(() => void vi.restoreAllMocks());

function tried(pins: Record<string, ScopeDefinition["pins"]>): string[] {
  const scopes = Object.fromEntries(Object.entries(pins).map(([name, one]) => [name, { pins: one } as ScopeDefinition]));
  return scopesOfCode({ scopes, services: { api: {}, worker: {} } as unknown as SystemDefinition["services"] });
}

test("only scopes that take every service back and leave the data, the one that changes least first", () => {
  expect(
    tried({
      marked: { release: "to", schema: "mark" },
      quiet: { release: "to", services: { worker: { run: "off" } } },
      down: { release: "to", schema: "down" },
      full: { release: "to", data: "snapshot" },
      repaired: { release: "to", data: { repair: "rows" } },
      code: { release: "to", data: "current" },
      each: { services: { api: { release: "to" }, worker: { release: "to" } } },
      api: { services: { api: { release: "to" } } },
      one: { release: "to", service: { release: "to" } },
      maintenance: { maintenance: { mode: "full" } },
    }),
  ).toEqual(["code", "each", "quiet", "marked"]);
});

const releases = (...names: string[]) => Object.fromEntries(names.map((name) => [name, { schema: {}, services: {} }]));
const stack = (blocked: Record<string, string> = {}) =>
  ({
    config: { releases: releases("v1", "v2", "v3"), blocked },
    asked: { order: ["v1", "v2", "v3"], scope: null },
  }) as unknown as OpenStack;
const standing = (...opened: string[]) =>
  ({ opened: opened.map((release, index) => ({ epoch: index + 1, pins: { release } })) }) as unknown as Standing;

test("a release that never opened is no goal, unless somebody names scope or goal", () => {
  expect(previousRelease(stack(), "v3", standing("v1", "v3"), true)).toBe("v1");
  expect(() => previousRelease(stack(), "v3", standing("v3"), true)).toThrow(/no release before v3 has opened and is not blocked: name/);
  expect(previousRelease(stack(), "v3", standing("v3"), false)).toBe("v2");
});

test("neither is a newer or a blocked one", () => {
  expect(() => previousRelease(stack({ v1: "INC-1" }), "v2", standing("v1", "v3", "v2"), true)).toThrow(/no release before v2/);
});

describe("without options", () => {
  const scopes = (pins: Record<string, ScopeDefinition["pins"]>, defaultScope: string) => {
    const known = Object.fromEntries(Object.entries(pins).map(([name, one]) => [name, { pins: one }]));
    return { ...stack(), definition: { scopes: known, services: { api: {} }, defaultScope } } as unknown as OpenStack;
  };
  const CODE = { release: "to" } as const;
  const FULL = { release: "to", data: "snapshot" } as const;
  const SUFFICES = { unknown: null, refused: [], preview: {} };
  const at = (...opened: string[]) => {
    const found = standing(...opened);
    return { ...found, lastOpen: { pins: found.opened.at(-1)!.pins }, pending: null } as unknown as Standing;
  };
  const goal = (opened: OpenStack, now: Standing) => plainGoal(opened, now, ({ scope }) => scope);

  test("the data stays where the older release runs on it, whatever the default scope does", async () => {
    said.previews = { code: SUFFICES };
    expect(await goal(scopes({ full: FULL, code: CODE }, "full"), at("v1", "v2"))).toEqual({ to: "v1", scope: "code" });
  });

  test.each([
    ["the plan refuses it", { ...SUFFICES, refused: ["v1 needs another head"] }],
    ["the schema is too new for it", { ...SUFFICES, preview: { schemaAhead: ["api is made for 1_items"] } }],
    ["nobody knows, because the database does not answer", { ...SUFFICES, unknown: "connection refused" }],
  ])("else the default scope: %s", async (_why, preview) => {
    said.previews = { code: preview, full: SUFFICES };
    expect(await goal(scopes({ full: FULL, code: CODE }, "full"), at("v1", "v2"))).toEqual({ to: "v1", scope: "full" });
  });

  let written = "";
  const told = (): string => written;
  const hear = (): void => {
    written = "";
    vi.spyOn(process.stderr, "write").mockImplementation((text) => {
      written += String(text);
      return true;
    });
  };
  const refused = (...reasons: string[]) => ({ ...SUFFICES, refused: reasons });
  const AHEAD = { ...SUFFICES, preview: { schemaAhead: ["api is made for 1_items"] } };

  test.each([
    ["what it refuses", refused("api v1 knows shop up to 1. Take the database back")],
    ["what it warns of", { ...SUFFICES, preview: { schemaAhead: ["api v1 knows shop up to 1"] } }],
  ])("where the default scope leaves the data, the one that restores it: %s", async (_why, preview) => {
    hear();
    said.previews = { code: preview, full: SUFFICES };
    expect(await goal(scopes({ code: CODE, full: FULL }, "code"), at("v1", "v2"))).toEqual({ to: "v1", scope: "full" });
    expect(told()).toContain("by scope full, the smallest that suffices: code does not suffice: api v1 knows shop up to 1\n");
  });

  test.each([
    ["all have", refused("main is frozen"), refused("main is frozen"), ": no scope suffices"],
    ["another has", refused("api knows less. Take"), refused("no room. Drop"), ": full does not suffice: no room"],
    ["warns only", AHEAD, refused("no room"), ": code does not suffice: api is made for 1_items; full does not suffice: no room"],
  ])("where no scope suffices, the default with the reasons that it does not say itself: the reason %s", async (_why, code, full, why) => {
    hear();
    said.previews = { code, full };
    expect(await goal(scopes({ code: CODE, full: FULL }, "code"), at("v1", "v2"))).toEqual({ to: "v1", scope: "code" });
    expect(told()).toContain(`by scope code, the system's default${why}\n`);
  });

  test("a scope whose snapshot is not kept does not suffice", async () => {
    hear();
    said.previews = { code: refused("api knows less") };
    const kept = ({ scope }: { scope: string }) => {
      if (scope === "full") throw new RefusedError("shop cannot go back: no snapshot");
      return scope;
    };
    expect(await plainGoal(scopes({ code: CODE, full: FULL }, "code"), at("v1", "v2"), kept)).toEqual({ to: "v1", scope: "code" });
    expect(told()).toContain("full does not suffice: shop cannot go back: no snapshot\n");
  });

  test("a default scope that takes no release back has no goal; one that does needs a release that opened", async () => {
    expect(await goal(scopes({ maintenance: { maintenance: { mode: "full" } } }, "maintenance"), at("v2"))).toEqual({
      scope: "maintenance",
    });
    await expect(goal(scopes({ full: FULL }, "full"), at("v2"))).rejects.toThrow(/no release before v2 has opened/);
  });
});
