import { expect, test } from "vitest";
import { communicationCheck, messagesOf, type Values } from "../../drill/communication.ts";
import type { Notification } from "../../config/system/policy.ts";

const VALUES: Values = { incident: "INC-1", reason: "drill", from: "v2", to: "v1", eta: "30 s", duration: "12 s", step: "verify" };
const start: Notification = { when: "start", channel: "chat", text: "{from} → {to}: {reason}", to: ["Team", "Management"] };

test("each message of the scope is filled in, and told with channel and receivers", () => {
  const other: Notification = { ...start, scopes: ["restore"] };
  const messages = messagesOf([start, other, { when: "done", channel: "status-page", text: "Done after {duration}" }], "quick", VALUES);
  expect(messages.map(({ text }) => text)).toEqual(["v2 → v1: drill", "Done after 12 s"]);
  expect(communicationCheck(messages)).toEqual({
    name: "communication",
    status: "passed",
    detail: "2 messages would be sent: start by chat to Team, Management; done by status-page",
  });
});

test("a text nobody can fill in, or that says nothing, fails", () => {
  const messages = messagesOf(
    [
      { ...start, text: "{who} is called" },
      { ...start, when: "done", text: " " },
    ],
    "quick",
    VALUES,
  );
  expect(communicationCheck(messages)).toMatchObject({ status: "failed", detail: "start by chat says {who}; done by chat says nothing" });
});
