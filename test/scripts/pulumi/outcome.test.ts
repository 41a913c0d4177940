/** What a verb tells a terminal. */
import { expect, test } from "vitest";
import { RefusedError, UsageError } from "../../../config/errors.ts";
import { escaped, exitCodeOf, shown } from "../../../scripts/pulumi/outcome.ts";
import { NotDecryptedError } from "../../../scripts/pulumi/secret-values.ts";

test("control characters in a reason or a name do not reach the terminal; ends of lines do", () => {
  const text = "INC-1\u001b[2J\u001b]0;title\u0007 first\r\nsecond\u009b31m";
  expect(shown(text)).toBe("INC-1\\x1b[2J\\x1b]0;title\\x07 first\\x0d\nsecond\\x9b31m");
  expect(escaped("one\ntwo\u001b[31m")).toBe("one\\x0atwo\\x1b[31m");
});

test("what is refused ends with 3, what is misused with 2, whatever the error is called; a secret that cannot be read names its key and the fix", () => {
  const unread = new NotDecryptedError({ project: "/nowhere", stack: "prod" }, ["backout:server.port"], "nonce size is incorrect");
  expect(unread.message).toMatch(
    /of prod cannot be read \(backout:server\.port\), nothing was changed: .*Fix: set PULUMI_CONFIG_PASSPHRASE .* config set --stack prod --secret --path 'backout:server\.port'/,
  );
  class Other extends RefusedError {}
  expect([unread, new Other("no"), new UsageError("what?"), new Error("failed")].map(exitCodeOf)).toEqual([3, 3, 2, 1]);
});
