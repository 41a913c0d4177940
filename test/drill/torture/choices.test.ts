/** What torture decides by itself: choices that can be repeated, and advice read as a person reads it. */
import { describe, expect, test } from "vitest";
import { advisedIn, advisesToWait } from "../../../drill/torture/advice.ts";
import { choose, MOST_KILLS, plainScopes, VICTIMS } from "../../../drill/torture/choices.ts";
import { diceOf } from "../../../drill/dice.ts";
import { loadSystem } from "../../../config/load-system.ts";

const onServer = await loadSystem("pfa-vanguard");
const inFile = await loadSystem("orbis-forge");
const state = { forward: false, open: true, undoable: true, undoVerb: true };
const rounds = (seed: string, system = onServer) =>
  Array.from({ length: 300 }, (_, round) => choose(diceOf(`${seed}/${round}`), system, state));

describe("choices", () => {
  test("the same seed makes the same ones, another one others", () => {
    expect(rounds("7")).toEqual(rounds("7"));
    expect(rounds("7")).not.toEqual(rounds("8"));
  });

  test("everybody is killed some time, at most three in a round; a file has no server to kill", () => {
    const kills = rounds("7").map((choices) => choices.kills);
    expect(new Set(kills.flat().map(({ victim }) => victim))).toEqual(new Set(VICTIMS));
    expect(Math.max(...kills.map(({ length }) => length))).toBe(MOST_KILLS);
    expect(rounds("7", inFile).flatMap((choices) => choices.kills.map(({ victim }) => victim))).not.toContain("postgres");
  });

  test("where nobody may write it mostly goes forward, which lets users write again", () => {
    const kinds = Array.from({ length: 300 }, (_, round) => choose(diceOf(`c/${round}`), onServer, { ...state, open: false }).action.kind);
    expect(kinds.filter((kind) => kind === "deploy").length).toBeGreaterThan(200);
  });

  test("forward it goes back by every scope that needs no arguments, and otherwise forward again", () => {
    const back = Array.from({ length: 300 }, (_, round) => choose(diceOf(`b/${round}`), onServer, { ...state, forward: true }).action);
    expect(new Set(back.flatMap((action) => (action.kind === "rollback" ? [action.scope] : [])))).toEqual(new Set(plainScopes(onServer)));
    expect(new Set(back.map(({ kind }) => kind))).toEqual(new Set(["rollback", "failing-deploy"]));
    expect(new Set(rounds("7").map(({ action }) => action.kind))).toEqual(new Set(["deploy", "failing-deploy", "undo"]));
  });
});

describe("advice", () => {
  test.each([
    ["Fix the cause, then run `npm run pulumi -- up --stack shop`: it goes on", { tool: "pulumi", words: ["up", "--stack", "shop"] }],
    [
      "see `npm run backout -- status --stack shop`, then `npx backout undo --reason 'a b'`",
      { tool: "backout", words: ["undo", "--reason", "a b"] },
    ],
    ["run `npx backout pulumi up --stack shop`", { tool: "pulumi", words: ["up", "--stack", "shop"] }],
    ["the embedded server is down, `pulumi up --stack shop` starts it", { tool: "pulumi", words: ["up", "--stack", "shop"] }],
    [
      "1 check failed: tables (the database is not back. Roll it back, too: `backout rollback --scope full`)",
      { tool: "backout", words: ["rollback", "--scope", "full"] },
    ],
    ["remove `backout:freeze`, or look at `backout status`", null],
  ])("%s", (text, command) => expect(advisedIn(text)).toEqual(command === null ? [] : [command]));

  test("one way or the other: both, in their order", () =>
    expect(advisedIn("run `npm run pulumi -- up --stack shop` again; or go back: `npm run backout -- rollback --stack shop`")).toEqual([
      { tool: "pulumi", words: ["up", "--stack", "shop"] },
      { tool: "backout", words: ["rollback", "--stack", "shop"] },
    ]));

  test("somebody else works on it", () => {
    expect(advisesToWait("shop is locked by a@b (pid 1) since now: deploy v2, run x. Wait for it to end.")).toBe(true);
    expect(advisesToWait("error: the stack is currently locked by 1 lock(s)")).toBe(true);
    expect(advisesToWait("users are kept out")).toBe(false);
  });
});
