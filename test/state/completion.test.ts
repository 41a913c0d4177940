import fc from "fast-check";
import { expect, test } from "vitest";
import { completionOf } from "../../state/completion.ts";
import type { CompletionTarget } from "../../config/system/completion.ts";

const TARGETS: CompletionTarget[] = [
  { metric: "rollbackSeconds", title: "Rollback duration", below: 7200, unit: "s" },
  { metric: "rowsLost", title: "Data loss", atMost: 0, unit: "rows" },
  { metric: "availableShare", title: "Availability", above: 0.99, unit: "share" },
];
const GOOD = { rollbackSeconds: 60, rowsLost: 0, availableShare: 1 };

test("every target met is a success", () => {
  expect(completionOf(true, TARGETS, GOOD).status).toBe("SUCCESS");
});

test("a restore that loses rows is a partial success", () => {
  const { status, targets } = completionOf(true, TARGETS, { ...GOOD, rowsLost: 3 });
  expect(status).toBe("PARTIAL SUCCESS");
  expect(targets[1]).toEqual({ metric: "rowsLost", title: "Data loss", target: "<= 0 rows", actual: 3, met: false });
});

test.each([{ rollbackSeconds: 7200 }, { availableShare: 0.99 }, { availableShare: Number.NaN }])(
  "limits are exclusive where they say so: %o",
  (figures) => {
    expect(completionOf(true, TARGETS, { ...GOOD, ...figures }).status).toBe("PARTIAL SUCCESS");
  },
);

test("what nobody measured is no success", () => {
  const { status, targets } = completionOf(true, TARGETS, { ...GOOD, availableShare: null });
  expect(status).toBe("PARTIAL SUCCESS");
  expect(targets[2]?.met).toBeNull();
});

test("users who are not served are a failure, whatever the figures say", () => {
  const figure = fc.option(fc.double(), { nil: null });
  fc.assert(
    fc.property(figure, figure, figure, (rollbackSeconds, rowsLost, availableShare) => {
      expect(completionOf(false, TARGETS, { rollbackSeconds, rowsLost, availableShare }).status).toBe("FAILED");
    }),
  );
});
