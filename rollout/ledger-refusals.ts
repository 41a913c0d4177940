/**
 * What a migration tool and its ledger make impossible, found before anything stops: migrations that only the tool can run where no command is
 * declared, a revision that nobody knows, and a release whose own tool would refuse the database that is left to it. Pure.
 */
import { commandOf, quoted } from "../config/commands.ts";
import type { Pins } from "../config/pins.ts";
import type { DatabaseFacts, DatabasePlan } from "../config/plan.ts";
import type { Site } from "../config/site.ts";
import { inWords } from "../config/errors.ts";
import type { RecordedMigrations } from "../config/system/check.ts";
import type { SystemDefinition } from "../config/system/definition.ts";
import { REFUSES_UNKNOWN, type LedgerName } from "../config/system/ledgers.ts";
import { canApply, DESCRIPTORS } from "../databases/shared/migrations/ledgers/registry.ts";
import { migrationsOf } from "../databases/shared/migrations/of-definition.ts";
import { downScript } from "../databases/shared/migrations/script.ts";
import { releasesFor, takers } from "./schema-taken.ts";

export interface LedgerQuestion {
  definition: SystemDefinition;
  database: string;
  pins: Pins;
  plan: DatabasePlan;
  now: DatabaseFacts;
  /** What the data that is restored says of its schema. Absent: nothing is restored, or it is not known. */
  restored?: RecordedMigrations | undefined;
  /** Of a rollback: where the command that works is typed. Absent: it is none. */
  back?: Pick<Site, "project" | "stack"> | undefined;
}

export function ledgerRefusals(question: LedgerQuestion): string[] {
  const { ledger } = question.now;
  if (ledger === undefined) return [];
  return [nobodyRuns(question, ledger), unknownHead(question, ledger), toolRefuses(question, ledger)].filter((reason) => reason !== null);
}

/** Whether releases break on revisions that they do not know, because their own tool refuses them. */
export function refusesUnknown(definition: SystemDefinition, database: string, ledger: LedgerName | undefined): boolean {
  return definition.databases[database]?.newerSchema === undefined && ledger !== undefined && REFUSES_UNKNOWN[ledger] !== undefined;
}

const EXAMPLES: Partial<Record<LedgerName, { up: string; down: string }>> = {
  alembic: { up: "alembic upgrade $BACKOUT_SCHEMA", down: "alembic downgrade $BACKOUT_SCHEMA" },
  django: { up: "python manage.py migrate", down: 'python manage.py migrate app "$BACKOUT_SCHEMA"' },
  rails: { up: "bin/rails db:migrate", down: "bin/rails db:rollback" },
  knex: { up: "npx knex migrate:latest", down: "npx knex migrate:rollback" },
  drizzle: { up: "npx drizzle-kit migrate", down: "node down.mjs" },
  typeorm: { up: "npx typeorm migration:run -d data-source.js", down: "npx typeorm migration:revert -d data-source.js" },
  sequelize: { up: "npx sequelize-cli db:migrate", down: "npx sequelize-cli db:migrate:undo" },
  "node-pg-migrate": { up: "npx node-pg-migrate up", down: "npx node-pg-migrate down" },
  liquibase: { up: "liquibase update", down: "liquibase rollback $BACKOUT_RELEASE" },
  sqlx: { up: "sqlx migrate run", down: "sqlx migrate revert" },
};

/** Migrations that backout cannot run itself, and for which no command is declared. */
function nobodyRuns({ definition, database, pins, plan, restored }: LedgerQuestion, ledger: LedgerName): string | null {
  const { migrate, migrateDown } = definition.databases[database]!;
  const known = migrationsOf(definition, database, ledger);
  const byTool = (name: string): boolean => !canApply(ledger) || known.find((migration) => migration.name === name)?.byTool === true;
  const needed = known.slice(0, known.findIndex(({ name }) => name === pins.needs[database]) + 1).map(({ name }) => name);
  const coming = restored === undefined ? plan.up : needed.filter((name) => !restored.applied.includes(name));
  const { tool } = DESCRIPTORS[ledger];
  const example = EXAMPLES[ledger] ?? { up: `the command of ${tool}`, down: `the command of ${tool}` };
  const up = migrate === undefined ? coming.filter(byTool) : [];
  const needing = releasesFor({ definition, database, pins });
  if (up.length > 0)
    return (
      `${inWords(needing)} ${needing.length === 1 ? "needs" : "need"} ${up.join(", ")} in ${database}, which only ${tool} can apply: ` +
      `declare its command, migrate: "${example.up}", or run it and then this again`
    );
  const back = plan.back.filter(byTool);
  if (back.length === 0 || plan.backBy === "keep") return null;
  if (plan.backBy === "mark")
    return `backout:schema is "mark", and only ${tool} writes in the ledger of ${database}: pin "keep" or "down", or restore a snapshot`;
  if (migrateDown !== undefined) return null;
  return (
    `backout:schema is "down", and only ${tool} can revert ${back.join(", ")} in ${database}: declare its command, ` +
    `migrateDown: "${example.down}", or restore a snapshot`
  );
}

/** A ledger that keeps the newest revision only says nothing where that is not known. */
function unknownHead({ definition, database, plan, now }: LedgerQuestion, ledger: LedgerName): string | null {
  const stays = plan.action.kind === "none" || plan.action.kind === "repair";
  if (!["alembic", "golang-migrate"].includes(ledger) || !stays || plan.up.length === 0) return null;
  if (now.head == null || !(now.unknown ?? []).includes(now.head)) return null;
  const newest = definition.databases[database]!.migrations.at(-1)?.name;
  return (
    `${database} is at ${now.head}, which none of its migrations is${newest === undefined ? "" : ` (the newest is ${newest})`}, so it is not known ` +
    `what is applied: bring the files of that revision back, or restore a snapshot`
  );
}

/** The data stays, newer than a pinned release knows, and the tool that the release starts refuses that. */
function toolRefuses(question: LedgerQuestion, ledger: LedgerName): string | null {
  const { definition, database, pins, plan, now, back } = question;
  if (!refusesUnknown(definition, database, ledger) || (plan.action.kind !== "none" && plan.action.kind !== "repair")) return null;
  const order = definition.databases[database]!.migrations.map(({ name }) => name);
  const gone = plan.backBy === "keep" ? [] : plan.back;
  const there = [...now.applied, ...plan.up].filter((name) => !gone.includes(name));
  const lines = takers(pins, database).flatMap(({ service, newest }) => {
    const pin = pins.services[service];
    const beyond = [...order.slice(order.indexOf(newest) + 1).filter((name) => there.includes(name)), ...(now.unknown ?? [])];
    return pin === undefined || !pin.run || beyond.length === 0 ? [] : [{ service, release: pin.release, newest, beyond }];
  });
  const [first] = lines;
  if (first === undefined) return null;
  const { tool } = DESCRIPTORS[ledger];
  const scopes = scopesBack(definition, database, ledger, first.beyond);
  const typed =
    back === undefined || scopes[0] === undefined
      ? ""
      : `: \`${commandOf(back.project, "backout", `rollback --stack ${back.stack} --to ${quoted(first.release)} --scope ${quoted(scopes[0])}`)}\``;
  const way =
    scopes.length > 0
      ? `Take the database back as well, by scope ${scopes.join(" or ")}${typed}`
      : 'No scope takes the database back: declare one that pins `data: "snapshot"`';
  const who = inWords(lines.map(({ service, release }) => `${service} ${release}`));
  return (
    `${who} ${lines.length === 1 ? "knows" : "know"} ${database} up to ${first.newest}, and ${first.beyond.join(", ")} would stay applied: ${tool} of the older release refuses a ` +
    `revision that it does not know ("${REFUSES_UNKNOWN[ledger]!}"). ${way}. Where no release starts ${tool} itself, declare newerSchema: "runs" under databases.${database} of the program`
  );
}

/** Scopes after which the newer revisions are gone, smallest first. */
function scopesBack(definition: SystemDefinition, database: string, ledger: LedgerName, beyond: readonly string[]): string[] {
  const known = migrationsOf(definition, database, ledger).filter(({ name }) => beyond.includes(name));
  const canGoDown =
    known.length === beyond.length &&
    (definition.databases[database]!.migrateDown !== undefined ||
      (canApply(ledger) && known.every((migration) => downScript(migration) !== null)));
  return Object.entries(definition.scopes).flatMap(([name, { pins }]) =>
    pins.release === "to" && (pins.data === "snapshot" || (pins.schema === "down" && canGoDown)) ? [name] : [],
  );
}
