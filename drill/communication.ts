/** Rehearses communication: which messages would go to whom, with their placeholders filled in. Nothing is sent. */
import type { CheckResult } from "../config/system/check.ts";
import type { MESSAGE_PLACEHOLDERS, Notification } from "../config/system/policy.ts";
import { failed, passed } from "./checks.ts";

/** Values of the placeholders `{…}` in messages of this rollback. */
export type Values = Record<(typeof MESSAGE_PLACEHOLDERS)[number], string>;

export interface RehearsedMessage {
  when: string;
  channel: string;
  to: string[];
  text: string;
  /** Placeholders without a value. */
  unfilled: string[];
}

/** The messages of a rollback with this scope. */
export function messagesOf(notifications: readonly Notification[], scope: string, values: Values): RehearsedMessage[] {
  return notifications
    .filter(({ scopes }) => scopes === undefined || scopes.includes(scope))
    .map(({ when, channel, to = [], text }) => {
      const filled = text.replaceAll(/\{(\w+)\}/g, (whole, name: string) =>
        Object.hasOwn(values, name) ? values[name as keyof Values] : whole,
      );
      return { when, channel, to, text: filled, unfilled: filled.match(/\{\w+\}/g) ?? [] };
    });
}

export function communicationCheck(messages: readonly RehearsedMessage[]): CheckResult {
  const name = "communication";
  const wrong = messages.filter(({ unfilled, text }) => unfilled.length > 0 || text.trim() === "");
  if (wrong.length > 0)
    return failed(
      name,
      wrong.map(({ when, channel, unfilled }) => `${when} by ${channel} says ${unfilled.join(", ") || "nothing"}`).join("; "),
    );
  const told = messages.map(({ when, channel, to }) => `${when} by ${channel}${to.length === 0 ? "" : ` to ${to.join(", ")}`}`);
  return passed(name, `${messages.length} messages would be sent: ${told.join("; ")}`);
}
