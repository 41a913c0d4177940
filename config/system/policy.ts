/**
 * The human half of a rollback as data: when to roll back, by when, who decides, who is notified of what, how often to rehearse, what to write
 * down. Names, addresses and phone numbers are not part of it: they differ per installation, so only roles and channels are named.
 * How long to watch stands in the definition's watches.
 */

/** What a message and the name of a record's file may have in braces: `{incident}`. The sender or writer fills it in. */
export const MESSAGE_PLACEHOLDERS = ["incident", "reason", "from", "to", "eta", "duration", "step"] as const;

/** What a probe measures, and beyond which value it counts. Shares are 0 to 1, times milliseconds. */
export interface Metric {
  name: string;
  above?: number;
  below?: number;
  growing?: true;
  /** Above this many times the value captured before the deployment. */
  timesBaseline?: number;
}

export interface Trigger {
  id: string;
  title: string;
  metric?: Metric;
  /** How long it must have lasted, minutes. Absent: at once. */
  forMinutes?: number;
  severity?: string;
  /** Who decides, where it is not who decides for the class: key of `authorisations`. @default the one that is called as the trigger, if there is one */
  authorisation?: string;
  /** Scope that answers it, where it is not the class's. */
  scope?: string;
}

export interface TriggerClass {
  title: string;
  /** Time to have acted, minutes; null where nothing has to be rolled back. */
  deadlineMinutes: number | null;
  /** What has to have happened by then; `window`: the next maintenance window. */
  deadlineFor?: "respond" | "decide" | "plan" | "execute" | "window";
  /** How long deciding may take, minutes. */
  decisionMinutes?: number;
  /** How long a quick fix may be tried instead, minutes; absent: none may. */
  fixFirstMinutes?: number;
  /** Scope that answers it unless the incident says otherwise; null where nothing is rolled back. */
  scope: string | null;
  /** What is done, in words. */
  action?: string;
  /** What the class risks, in words. */
  risk?: string;
  impact?: string;
  /** Who decides: key of `authorisations`. */
  authorisation?: string;
  /** Any one of these suffices. */
  triggers: Trigger[];
}

export interface Authorisation {
  title: string;
  /** Roles that decide. */
  approvers: string[];
  /** `all`: every one of them has to agree; `any`: one suffices. */
  agree: "all" | "any";
  /** Roles that may answer in place of an approver. */
  standIns?: Record<string, string[]>;
  /** Under which condition this one counts. */
  when?: string;
  /** Roles that are notified. */
  notify: string[];
}

export interface Notification {
  /** When it is sent: name of a moment, e.g. `start`, `progress`, `done`, `failed`. What announces a rollback is sent before it begins. */
  when: string;
  /** Sent again as long as it lasts, minutes. */
  everyMinutes?: number;
  /** Where: `chat`, `email`, `sms`, `status-page`, `webhook`, `banner`, `log`. */
  channel: string;
  /** Text, with placeholders that the sender fills in: see MESSAGE_PLACEHOLDERS. */
  text: string;
  /** What it has to tell besides. */
  fields?: string[];
  /** Scopes it belongs to; absent: all. */
  scopes?: string[];
  /** Roles or groups it goes to. */
  to?: string[];
}

export interface RecordTemplate {
  title: string;
  /** Due after the rollback, hours; null where `due` says when. */
  withinHours: number | null;
  /** When it is due, where that is no time after the rollback. */
  due?: string;
  /** File it is written to, with the placeholders of notifications and `{date}`. */
  file?: string;
  /** Headings with the fields under each. */
  sections: Record<string, string[]>;
  /** What a field may say. */
  choices?: Record<string, string[]>;
  /** Fields that always say the same. */
  values?: Record<string, string>;
}

export interface Rehearsal {
  title: string;
  /** Null: on occasion only. */
  everyDays: number | null;
  /** At the latest this long before each deployment, hours. */
  hoursBeforeDeployment?: number;
  /** How long the newer release runs before it is rolled back, minutes. */
  soakMinutes?: number;
  steps: string[];
  /** What has to be so for it to count as passed. */
  passWhen?: string[];
}

/** One line of a risk matrix. Levels in the manual's own words. */
export interface Risk {
  subject: string;
  rollback: string;
  recovery?: string;
  impact?: string;
  mitigation: string[];
}

export interface PolicyDefinition {
  /** Most severe first: where several match, the first one counts. */
  classes: Record<string, TriggerClass>;
  /** Class of what is seen and matches nothing. */
  otherwise?: string;
  /** What is asked before deciding, and how long that may take, minutes. */
  assessment?: { minutes: number; fields: string[] };
  authorisations: Record<string, Authorisation>;
  /** Who decides where neither trigger nor class names anybody: key of `authorisations`. */
  defaultAuthorisation?: string;
  /** Who is called when nobody has answered, minutes after the alert. */
  escalation: { role: string; afterMinutes: number; level?: number }[];
  /** Who is on duty when. */
  coverage?: { when: string; roles: string[] }[];
  /** Roles of the team that carries a rollback out. */
  roles: string[];
  notifications: Notification[];
  /** What is ticked off, by moment: before a deployment, during a rollback, afterwards. In order. */
  checklists?: Record<string, string[]>;
  /** How often a rollback is rehearsed, and what is done then. */
  drills: Rehearsal[];
  /** Dates that are kept: last rollback, last drill, next drill. */
  tracked?: string[];
  records: Record<string, RecordTemplate>;
  /** Figures a rollback is measured by afterwards, e.g. `{ "error rate": "< 0.1 %" }`. */
  targets: Record<string, string>;
  /** What has to be so for a rollback to count as completed. */
  completion?: string[];
  /** The order of a whole rollback, in words. */
  order?: string[];
  risks?: Risk[];
  /** What a level of risk asks for. */
  riskRules?: Record<string, string[]>;
  /** When procedures and policy are looked through again. */
  reviews?: { title: string; everyDays?: number; when?: string }[];
}
