/** The change freeze: newer is refused, back is not, and it is no part of what a rollout is. */
import { describe, expect, it } from "vitest";
import { frozen, newer, showFreeze } from "../../rollout/freeze.ts";
import type { Facts } from "../../rollout/inspect.ts";
import { editPins } from "../../config/edit.ts";
import { rolloutOf } from "../../config/pins.ts";
import { resolvePins } from "../../config/resolve-pins.ts";
import { scopeEdits } from "../../config/scope.ts";
import type { SystemDefinition } from "../../config/system/definition.ts";
import { configOf, definition, pinsOf, STACK } from "../config/sample.ts";

const FREEZE = { reason: "rollback in progress", since: "2026-01-01T00:00:00.000Z" };
const asked = { order: ["v3.0.0", "v4.0.0"], scope: null };
const at = (release: string): Pick<Facts, "last" | "lastOpen" | "opened"> => {
  const pins = pinsOf({ release });
  const rollout = { pins, rollout: rolloutOf(pins), state: "open" } as Facts["lastOpen"];
  return { last: rollout, lastOpen: rollout, opened: [{ epoch: 1, pins }] };
};

/** A project without scripts of its own. */
const SITE = { project: "/nowhere", stack: "shop" };

describe("change freeze", () => {
  it("refuses a newer release and a newer service, says why and how to lift it", () => {
    const [refused, ...more] = frozen(FREEZE, at("v3.0.0"), pinsOf(), asked, SITE);
    expect(more).toEqual([]);
    expect(refused).toContain("v3.0.0 → v4.0.0");
    expect(refused).toContain("rollback in progress");
    expect(refused).toMatch(/To lift it run `npx backout freeze --lift --stack shop`$/);
    const apart = pinsOf({ release: "v3.0.0", services: { frontend: { release: "v4.0.0" } } });
    expect(frozen(FREEZE, at("v3.0.0"), apart, asked, SITE)).toEqual([expect.stringContaining("frontend v3.0.0 → v4.0.0")]);
  });

  it("leaves open: the way back, what is not frozen, a first deployment, and a rollout that has begun", () => {
    expect(frozen(FREEZE, at("v4.0.0"), pinsOf({ release: "v3.0.0" }), asked, SITE)).toEqual([]);
    expect(frozen(FREEZE, at("v4.0.0"), pinsOf({ services: { worker: { run: "off" } } }), asked, SITE)).toEqual([]);
    expect(frozen(null, at("v3.0.0"), pinsOf(), asked, SITE)).toEqual([]);
    expect(frozen(FREEZE, { last: null, lastOpen: null, opened: [] }, pinsOf(), asked, SITE)).toEqual([]);
    const begun = { ...at("v3.0.0"), last: { rollout: rolloutOf(pinsOf()), state: "closing" } as Facts["last"] };
    expect(frozen(FREEZE, begun, pinsOf(), asked, SITE)).toEqual([]);
    expect(newer(asked.order, pinsOf(), pinsOf())).toEqual([]);
  });

  it("is no part of a rollout's identity", () => {
    expect(rolloutOf(pinsOf({ freeze: FREEZE }))).toBe(rolloutOf(pinsOf()));
  });

  it("`off` is no freeze; one without a reason, and one that waits for an unknown watch, are refused", () => {
    expect(configOf({ freeze: "off" }).freeze).toBeUndefined();
    expect(() => configOf({ freeze: { since: "today" } })).toThrow(/backout:freeze\.reason/);
    expect(() => pinsOf({ freeze: { ...FREEZE, until: "nowhere" } })).toThrow(/backout:freeze\.until: "nowhere" .*no such watch/);
  });

  it("a scope can set it, with the watch that lifts it", () => {
    const scopes = {
      frozen: { ...definition.scopes["quick"]!, pins: { release: "to", freeze: { reason: "do not deploy", until: "calm" } } },
    };
    const system = { ...definition, watches: { calm: {} }, scopes } as unknown as SystemDefinition;
    const text = editPins(STACK, scopeEdits(system, { scope: "frozen", to: "v3.0.0", snapshots: {}, block: null, at: FREEZE.since }));
    expect(text).toContain("backout:freeze:");
    const config = configOf({}, text);
    expect(config.freeze).toEqual({ reason: "do not deploy", until: "calm", since: FREEZE.since });
    expect(resolvePins(config, system).release).toBe("v3.0.0");
    expect(showFreeze(config.freeze!)).toContain("until the watch calm has passed");
  });
});
