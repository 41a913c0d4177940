/**
 * The human half of a rollback as data: when to roll back, by when, who decides, who is told what, how long to watch, how often to rehearse,
 * what to write down. Names, addresses and phone numbers are not part of it: they differ per installation.
 */

export interface Trigger {
  id: string;
  title: string;
  /** What a probe measures, and beyond which value it counts. Shares are 0 to 1, times milliseconds. */
  metric?: { name: string; above?: number; below?: number; growing?: true; timesBaseline?: number };
  /** How long it must have lasted, minutes. Absent: at once. */
  forMinutes?: number;
}

export interface TriggerClass {
  title: string;
  /** Time to have acted, minutes; null where nothing has to be rolled back. */
  deadlineMinutes: number | null;
  /** Scope that answers it unless the incident says otherwise; null where nothing is rolled back. */
  scope: string | null;
  /** What the class risks, in words. */
  risk?: string;
  /** Any one of these suffices. */
  triggers: Trigger[];
}

export interface Authorisation {
  title: string;
  /** Roles that decide. */
  approvers: string[];
  /** `all`: every one of them has to agree; `any`: one suffices. */
  agree: "all" | "any";
  /** Roles that are told. */
  notify: string[];
}

export interface Notification {
  /** When it is sent: name of a moment, e.g. `start`, `progress`, `done`, `failed`. */
  when: string;
  /** Where: `chat`, `email`, `sms`, `status-page`, `webhook`, `log`. */
  channel: string;
  /** Text; `{incident}`, `{reason}`, `{from}`, `{to}`, `{eta}`, `{duration}`, `{step}` are filled in by whoever sends it. */
  text: string;
  /** Scopes it belongs to; absent: all. */
  scopes?: string[];
  /** Roles or groups it goes to. */
  to?: string[];
}

export interface RecordTemplate {
  title: string;
  /** Due after the rollback, hours. */
  withinHours: number;
  /** Headings with the fields under each. */
  sections: Record<string, string[]>;
}

export interface PolicyDefinition {
  /** Most severe first: where several match, the first one counts. */
  classes: Record<string, TriggerClass>;
  authorisations: Record<string, Authorisation>;
  /** Who is called when nobody has answered, minutes after the alert. */
  escalation: { role: string; afterMinutes: number }[];
  /** Roles of the team that carries a rollback out. */
  roles: string[];
  notifications: Notification[];
  /** How often a rollback is rehearsed, and what is done then. */
  drills: { title: string; everyDays: number | null; steps: string[] }[];
  records: Record<string, RecordTemplate>;
  /** Figures a rollback is measured by afterwards, e.g. `{ "error rate": "< 0.1 %" }`. */
  targets: Record<string, string>;
}
