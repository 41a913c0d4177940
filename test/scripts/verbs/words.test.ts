/** What is advised after an interruption asks for the same: none of its options is left out. */
import { Command } from "commander";
import { expect, test } from "vitest";
import { addConstraint, constraintWords } from "../../../scripts/verbs/constraint.ts";
import { addRecover, recoverWords } from "../../../scripts/verbs/recover.ts";
import { addRollback, rollbackWords } from "../../../scripts/verbs/rollback.ts";

/** Options as the verb itself reads them from its words. Throws for an option that it does not have. */
function readBy(add: (program: Command) => void, words: string): Record<string, unknown> {
  const program = new Command();
  add(program);
  const given = words.split(" ");
  let command = program;
  for (let found; (found = command.commands.find((one) => one.name() === given[0])) !== undefined; given.shift()) command = found;
  expect(command.parseOptions(given).unknown).toEqual([]);
  return command.opts();
}

test("of constraints: with another text, for new rows only, with rows set aside", () => {
  expect(constraintWords("drop", ["a", "b"], {})).toBe("constraint drop a b");
  expect(constraintWords("enforce", ["a"], { unvalidated: true })).toBe("constraint enforce a --unvalidated");
  expect(constraintWords("enforce", ["a"], { definition: "CHECK (a > 'x')" })).toBe(
    "constraint enforce a --definition 'CHECK (a > '\\''x'\\'')'",
  );
  expect(recoverWords({})).toBe("recover");
  expect(recoverWords({ constraint: ["a", "b c"], quarantine: true })).toBe("recover --constraint a --constraint 'b c' --quarantine");
});

test("of a rollback: with every option that decides what it does", () => {
  const wish = {
    to: "v1",
    scope: "restore",
    service: "api",
    snapshot: "before-v2@1",
    with: ["a=1", "b=2"],
    newWrites: "reapply",
    block: false,
  };
  expect(readBy(addRollback, rollbackWords(wish))).toMatchObject(wish);
  expect(rollbackWords({})).toBe("rollback");
});

test("are read by their verb", () => {
  const [constraint, enforced] = [["a", "b"], constraintWords("enforce", ["a"], { unvalidated: true, definition: "x" })];
  expect(readBy(addConstraint, enforced)).toMatchObject({ unvalidated: true, definition: "x" });
  expect(readBy(addRecover, recoverWords({ constraint, quarantine: true }))).toMatchObject({ constraint, quarantine: true });
});
