/** The schema of a policy. */
import { z } from "zod";
import type {
  Authorisation,
  Metric,
  Notification,
  PolicyDefinition,
  RecordTemplate,
  Rehearsal,
  Risk,
  Trigger,
  TriggerClass,
} from "../system/policy.ts";
import { duration, mapOf, name, names, positive, type For } from "./values.ts";

const words = z.string();

const metric = z
  .strictObject({
    name,
    above: z.number().optional(),
    below: z.number().optional(),
    growing: z.literal(true).optional(),
    timesBaseline: positive.optional(),
  } satisfies For<Metric>)
  .refine(({ above, below, growing, timesBaseline }) => [above, below, growing, timesBaseline].some((limit) => limit !== undefined), {
    message: "must say when it counts: above, below, growing or timesBaseline",
  });

const trigger = z.strictObject({
  id: name,
  title: name,
  metric: metric.optional(),
  forMinutes: positive.optional(),
  severity: words.optional(),
  authorisation: name.optional(),
  scope: name.optional(),
} satisfies For<Trigger>);

const triggerClass = z.strictObject({
  title: name,
  deadlineMinutes: duration.nullable(),
  deadlineFor: z.enum(["respond", "decide", "plan", "execute", "window"]).optional(),
  decisionMinutes: duration.optional(),
  fixFirstMinutes: duration.optional(),
  scope: name.nullable(),
  action: words.optional(),
  risk: words.optional(),
  impact: words.optional(),
  authorisation: name.optional(),
  triggers: z.array(trigger),
} satisfies For<TriggerClass>);

const authorisation = z.strictObject({
  title: words,
  approvers: names.min(1, "must name a role that decides"),
  agree: z.enum(["all", "any"]),
  standIns: mapOf(names).optional(),
  when: words.optional(),
  notify: names,
} satisfies For<Authorisation>);

const notification = z.strictObject({
  when: name,
  everyMinutes: positive.optional(),
  channel: name,
  text: name,
  fields: names.optional(),
  scopes: names.optional(),
  to: names.optional(),
} satisfies For<Notification>);

const record = z.strictObject({
  title: name,
  withinHours: duration.nullable(),
  due: name.optional(),
  file: name.optional(),
  sections: mapOf(names),
  choices: mapOf(names).optional(),
  values: mapOf(words).optional(),
} satisfies For<RecordTemplate>);

const rehearsal = z.strictObject({
  title: name,
  everyDays: positive.nullable(),
  hoursBeforeDeployment: duration.optional(),
  soakMinutes: duration.optional(),
  steps: names,
  passWhen: names.optional(),
} satisfies For<Rehearsal>);

const risk = z.strictObject({
  subject: name,
  rollback: words,
  recovery: words.optional(),
  impact: words.optional(),
  mitigation: names,
} satisfies For<Risk>);

export const policy = z.strictObject({
  classes: mapOf(triggerClass),
  otherwise: name.optional(),
  assessment: z.strictObject({ minutes: duration, fields: names }).optional(),
  authorisations: mapOf(authorisation),
  defaultAuthorisation: name.optional(),
  escalation: z.array(z.strictObject({ role: name, afterMinutes: duration, level: z.number().optional() })),
  coverage: z.array(z.strictObject({ when: name, roles: names })).optional(),
  roles: names,
  notifications: z.array(notification),
  checklists: mapOf(names).optional(),
  drills: z.array(rehearsal),
  tracked: names.optional(),
  records: mapOf(record),
  targets: mapOf(words),
  completion: names.optional(),
  order: names.optional(),
  risks: z.array(risk).optional(),
  riskRules: mapOf(names).optional(),
  reviews: z.array(z.strictObject({ title: name, everyDays: positive.optional(), when: words.optional() })).optional(),
} satisfies For<PolicyDefinition>);
