import fc from "fast-check";
import { expect, test } from "vitest";
import { decide, type GateRequest, type ReadOnlyException } from "../../traffic/decide.ts";
import { hashPass, newPass, type GateState } from "../../traffic/state.ts";

const methods = fc.constantFrom("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "PROPFIND", "get");
const paths = fc.constantFrom("/", "/auth/login", "/auth/login/", "/plants", "/auth/login/../plants");
const passes = fc.constantFrom("right", "wrong", "");
const states: fc.Arbitrary<GateState> = fc.record({
  mode: fc.constantFrom("open", "read-only", "closed"),
  epoch: fc.nat(),
  message: fc.string(),
  retryAfterSeconds: fc.nat(),
  passHash: passes.map((pass) => (pass === "" ? "" : hashPass(pass).toString("hex"))),
  maintenance: fc.record({ mode: fc.constantFrom("off", "read-only", "full"), message: fc.string() }),
});
const requests: fc.Arbitrary<GateRequest> = fc.record({
  method: methods,
  path: paths,
  upgrade: fc.boolean(),
  pass: fc.option(passes, { nil: undefined }),
});
const exceptions: fc.Arbitrary<ReadOnlyException[]> = fc.constantFrom(
  [],
  [{ method: "POST", path: "/auth/login" }],
  [{ method: "UPGRADE", path: "/plants" }],
);
const everything = fc.tuple(states, requests, exceptions);

const holdsPass = (state: GateState, request: GateRequest) =>
  state.passHash !== "" && request.pass !== undefined && hashPass(request.pass).toString("hex") === state.passHash;

test("without a state nobody passes", () => {
  fc.assert(fc.property(requests, exceptions, (request, allowed) => decide(null, request, allowed).action === "refuse"));
});

test("the right pass always passes, and nothing else counts as verified", () => {
  fc.assert(
    fc.property(everything, ([state, request, allowed]) => {
      const decision = decide(state, request, allowed);
      return (decision.action === "pass" && decision.verified) === holdsPass(state, request);
    }),
  );
});

test("closed refuses everybody else, with the state's own message and time", () => {
  fc.assert(
    fc.property(everything, ([state, request, allowed]) => {
      fc.pre(!holdsPass(state, request));
      const { message, retryAfterSeconds } = state;
      expect(decide({ ...state, mode: "closed" }, request, allowed)).toEqual({ action: "refuse", message, retryAfterSeconds });
    }),
  );
});

test("read-only passes what reads or is listed, to the letter; a WebSocket only where it is listed", () => {
  fc.assert(
    fc.property(everything, ([state, request, allowed]) => {
      fc.pre(!holdsPass(state, request));
      const method = request.upgrade ? "UPGRADE" : request.method;
      const listed = allowed.some((each) => each.method === method && each.path === request.path);
      const expected = ["GET", "HEAD", "OPTIONS"].includes(method) || listed;
      return (decide({ ...state, mode: "read-only" }, request, allowed).action === "pass") === expected;
    }),
  );
});

test("what a stricter mode lets through, a laxer one does too", () => {
  fc.assert(
    fc.property(everything, ([state, request, allowed]) => {
      const [closed, readOnly, open] = (["closed", "read-only", "open"] as const).map(
        (mode) => decide({ ...state, mode }, request, allowed).action,
      );
      return (closed === "refuse" || readOnly === "pass") && (readOnly === "refuse" || open === "pass") && open === "pass";
    }),
  );
});

test("a pass is new each time and fits its hash alone", () => {
  const [one, two] = [newPass(), newPass()];
  expect(one.pass).not.toBe(two.pass);
  expect(hashPass(one.pass).toString("hex")).toBe(one.passHash);
  expect(one.passHash).not.toContain(one.pass);
});
