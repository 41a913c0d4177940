/** After-success actions: every reason not to do one. */
import { describe, expect, it } from "vitest";
import { actionRefusals, type ActionFacts } from "../../rollout/action.ts";
import { DROP_SYNC_TABLES } from "../../systems/pfa-vanguard/api.ts";
import { definition, pinsOf } from "../config/sample.ts";
import { afterScope, plan } from "./sample.ts";

const back = (scope: string, change: Partial<ActionFacts> = {}): ActionFacts => {
  const pins = afterScope(scope);
  return {
    site: { project: "/nowhere", stack: "shop" },
    rollout: { epoch: 3, state: "open", plan: plan(pins, { scope: { name: scope } }), pins },
    watches: [{ id: "quick", state: "passed" }],
    pins,
    ...change,
  };
};
const refused = (facts: ActionFacts): string[] => actionRefusals(definition, DROP_SYNC_TABLES, facts);

describe("dropping what the older release leaves unused", () => {
  it("may be done after a quick or full rollback whose watch has passed", () => {
    expect(refused(back("quick"))).toEqual([]);
    expect(refused(back("full", { watches: [{ id: "stable", state: "passed" }] }))).toEqual([]);
  });

  it.each(["due", "going", "failed"] as const)("not while the watch is %s", (state) => {
    expect(refused(back("quick", { watches: [{ id: "quick", state }] }))).toEqual([
      expect.stringMatching(new RegExp(`watch quick is ${state}.*npx backout watch quick --stack shop`)),
    ]);
  });

  it("not before the rollback has opened, nor before there was one", () => {
    const facts = back("quick");
    expect(refused({ ...facts, rollout: { ...facts.rollout!, state: "verified" } })[0]).toMatch(/"verified", not open/);
    expect(refused({ ...facts, rollout: null })[0]).toMatch(/nothing was deployed/);
    const pins = pinsOf();
    const deployed = plan(pins, { from: pinsOf({ release: "v3.0.0" }) });
    const reasons = refused({ ...facts, pins, rollout: { ...facts.rollout!, plan: deployed, pins } });
    expect(reasons[0]).toMatch(/deployment of v4\.0\.0/);
    expect(reasons[1]).toMatch(/v4\.0\.0 needs 20251128000003/);
  });

  it("not after a rollback that leaves the newer backend running, nor while newer pins are declared", () => {
    expect(refused(back("frontend")).join("\n")).toMatch(/the last rollback was frontend[^]*needs 20251128000003/);
    expect(refused(back("quick", { pins: pinsOf() }))).toEqual([expect.stringMatching(/v4\.0\.0 needs 20251128000003/)]);
    const apart = pinsOf({ release: "v3.0.0", services: { backend: { release: "v4.0.0" }, worker: { run: "off" } } });
    expect(refused(back("quick", { pins: apart }))).toEqual([expect.stringMatching(/v3\.0\.0 and v4\.0\.0 needs/)]);
  });
});
