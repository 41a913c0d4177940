/** What a manual says about the human half, read a second time: to be compared with the policy of its system. */
import type { Metric } from "../../../config/system/policy.ts";

export interface ExpectedTrigger {
  /** Position of its class, the most severe first. */
  of: number;
  /** Words of id or title. */
  words: RegExp;
  metric?: Omit<Metric, "name">;
  forMinutes?: number;
}

export interface ExpectedMessage {
  channel: string;
  /** Word for word, with the placeholders of the contract. */
  text?: string;
  /** Where the manual gives no text: what it has to tell. */
  words?: RegExp[];
  when?: string;
  everyMinutes?: number;
  fields?: string[];
  to?: string[];
}

export interface ExpectedRecord {
  /** Every one of these stands among its title, headings, fields, choices and values. */
  words: string[];
  withinHours?: number;
  file?: RegExp;
}

export interface ExpectedPolicy {
  /** Deadline by class, minutes, most severe first; null: nothing is rolled back. */
  deadlines: (number | null)[];
  /** Words of each class's risk, where the manual names one. */
  risks?: RegExp[];
  /** Documented time of each scope, minutes. */
  scopes: Record<string, number>;
  /** Documented times of watching, minutes, by the watch. */
  watches: Record<string, number>;
  triggers: ExpectedTrigger[];
  authorisations: { approvers: string[]; agree?: "all" | "any"; notify?: string[]; standIns?: string[] }[];
  escalation: [role: RegExp, afterMinutes: number][];
  roles: string[];
  messages: ExpectedMessage[];
  records: ExpectedRecord[];
  /** Days between rehearsals; null: on occasion. */
  drills: { everyDays: number | null | "any"; hoursBeforeDeployment?: number; soakMinutes?: number; words?: RegExp[] }[];
  /** What the figures are measured by: each stands in one line of the targets, key and value together. */
  targets: RegExp[];
  /** Words that stand in order among the lines of the order. */
  order?: RegExp[];
  /** Lines of the risk matrix: subject, levels in order. */
  matrix?: { subject: RegExp; levels: string[]; mitigation: RegExp[] }[];
  /** Anything else that has to stand somewhere in the policy. */
  words?: RegExp[];
}
