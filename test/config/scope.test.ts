import { describe, expect, it } from "vitest";
import { changedLines, editPins } from "../../config/edit.ts";
import { deployEdits, scopeEdits, UnknownScopeError, type ScopeTarget } from "../../config/scope.ts";
import { SYNC_DISABLED, SYNC_FLAG } from "../../systems/pfa-vanguard/api.ts";
import { definition, pinsOf, STACK } from "./sample.ts";

const SNAPSHOTS = { pfa: "before-v4.0.0@1" };
const rollback = (scope: string, target: Partial<ScopeTarget> = {}): string =>
  editPins(STACK, scopeEdits(definition, { scope, to: "v3.0.0", snapshots: SNAPSHOTS, block: null, ...target }));

const RELEASE = { removed: "  backout:release: v4.0.0", added: "  backout:release: v3.0.0" };
const WORKER_OFF = ["  backout:services:", "    worker:", "      run: off"];

describe("each scope is the lines a person would write", () => {
  it.each<[string, string[], string[]]>([
    ["quick", [RELEASE.removed], [RELEASE.added, ...WORKER_OFF]],
    ["full", [RELEASE.removed, "  backout:schema: keep"], [RELEASE.added, "  backout:schema: mark", ...WORKER_OFF]],
    ["restore", [RELEASE.removed, "  backout:data: current"], [RELEASE.added, "  backout:data: before-v4.0.0@1", ...WORKER_OFF]],
    [
      "worker",
      ["  backout:maintenance: off"],
      [
        "  backout:maintenance:",
        "    mode: read-only",
        `    message: ${SYNC_DISABLED}`,
        ...WORKER_OFF,
        "  backout:flags:",
        `    ${SYNC_FLAG}: false`,
      ],
    ],
    ["backend", [], ["  backout:services:", "    backend:", "      release: v3.0.0", "    worker:", "      run: off"]],
    ["frontend", [], ["  backout:services:", "    frontend:", "      release: v3.0.0"]],
  ])("%s", (scope, removed, added) => {
    expect(changedLines(STACK, rollback(scope))).toEqual({ removed, added: [...added, `  backout:scope: ${scope}`] });
  });

  it("every scope of the system is in this table", () => {
    expect(Object.keys(definition.scopes).sort()).toEqual(["backend", "frontend", "full", "quick", "restore", "worker"]);
  });

  it.each(Object.keys(definition.scopes))("%s twice changes nothing more, and gives pins that resolve", (scope) => {
    const once = rollback(scope);
    const edits = scopeEdits(definition, { scope, to: "v3.0.0", snapshots: SNAPSHOTS, block: null });
    expect(editPins(once, edits)).toBe(once);
    expect(pinsOf({}, once).services).toHaveProperty("worker");
  });

  it("the release that is left is blocked in the same edit, where it is left as a whole", () => {
    const block = { release: "v4.0.0", incident: "INCIDENT-7" };
    for (const scope of ["quick", "full", "restore"])
      expect(changedLines(rollback(scope), rollback(scope, { block }))).toEqual({
        removed: [],
        added: ["  backout:blocked:", "    v4.0.0: INCIDENT-7"],
      });
    for (const scope of ["worker", "backend", "frontend"]) expect(rollback(scope, { block })).toBe(rollback(scope));
  });

  it("a release pinned for one service alone does not survive a rollback of everything", () => {
    const apart = editPins(STACK, [{ path: ["services", "frontend", "release"], value: "v4.0.0" }]);
    const after = editPins(apart, scopeEdits(definition, { scope: "quick", to: "v3.0.0", snapshots: {}, block: null }));
    expect(after).toBe(rollback("quick"));
  });

  it("several databases get a map by name", () => {
    const snapshots = { pfa: "before-v4.0.0@1", audit: "before-v4.0.0@2" };
    const edits = scopeEdits(definition, { scope: "restore", to: "v3.0.0", snapshots, block: null });
    expect(edits.find(({ path }) => path[0] === "data")).toEqual({ path: ["data"], value: snapshots });
  });

  it("an unknown scope names the ones there are", () => {
    expect(() => rollback("quik")).toThrow(UnknownScopeError);
    expect(() => rollback("quik")).toThrow(/"quik" is not one of quick, full, restore, worker, backend, frontend.*did you mean `quick`/);
  });
});

describe("the pins of a deployment", () => {
  it("after any rollback: the release everywhere, everything running, no maintenance, the data as it is", () => {
    for (const scope of Object.keys(definition.scopes)) {
      const pins = pinsOf({}, editPins(rollback(scope), deployEdits(definition, "v4.0.0")));
      expect(Object.values(pins.services).map(({ release, run }) => [release, run])).toEqual([
        ["v4.0.0", true],
        ["v4.0.0", true],
        ["v4.0.0", true],
      ]);
      expect(pins).toMatchObject({ release: "v4.0.0", data: { pfa: { kind: "current" } }, schema: "keep", maintenance: { mode: "off" } });
    }
  });

  it("takes back what a rollback wrote, line by line", () => {
    for (const scope of ["quick", "full", "restore", "backend", "frontend"])
      expect(editPins(rollback(scope), deployEdits(definition, "v4.0.0"))).toBe(STACK);
  });

  it("a block stays: a person lifts it", () => {
    const blocked = rollback("quick", { block: { release: "v4.0.0", incident: "INCIDENT-7" } });
    const deployed = editPins(blocked, deployEdits(definition, "v4.0.0"));
    expect(() => pinsOf({}, deployed)).toThrow(/blocked by INCIDENT-7/);
  });

  it("configuration pinned for a service stays", () => {
    const configured = editPins(STACK, [{ path: ["services", "worker", "config", "LIMIT"], value: "20" }]);
    expect(editPins(configured, deployEdits(definition, "v4.0.0"))).toBe(configured);
  });
});
