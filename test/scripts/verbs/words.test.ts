/** What is advised after an interruption asks for the same: none of its options is left out. */
import { expect, test } from "vitest";
import { constraintWords } from "../../../scripts/verbs/constraint.ts";
import { recoverWords } from "../../../scripts/verbs/recover.ts";

test("of constraints: with another text, for new rows only, with rows set aside", () => {
  expect(constraintWords("drop", ["a", "b"], {})).toBe("constraint drop a b");
  expect(constraintWords("enforce", ["a"], { unvalidated: true })).toBe("constraint enforce a --unvalidated");
  expect(constraintWords("enforce", ["a"], { definition: "CHECK (a > 'x')" })).toBe(
    "constraint enforce a --definition 'CHECK (a > '\\''x'\\'')'",
  );
  expect(recoverWords({})).toBe("recover");
  expect(recoverWords({ constraint: ["a", "b c"], quarantine: true })).toBe("recover --constraint a --constraint 'b c' --quarantine");
});
