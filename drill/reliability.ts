/** The figures of long runs of torture and fuzz: kept as data, shown as a page. They contain only what ran. */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";

const count = z.int().nonnegative();
const run = { date: z.string(), commit: z.string(), seed: z.string() };
const torturedSchema = z.strictObject({
  ...run,
  system: z.string(),
  rounds: count,
  kills: count,
  converged: count,
  acknowledged: count,
  lost: count,
  lockedOut: count,
});
const fuzzedSchema = z.strictObject({ ...run, mutations: count, rawErrors: count, touched: count });
const reliabilitySchema = z.strictObject({
  /** The last run of each system, by name. */
  torture: z.array(torturedSchema).default([]),
  /** The last run. */
  fuzz: fuzzedSchema.nullable().default(null),
});

export type Tortured = z.infer<typeof torturedSchema>;
export type Fuzzed = z.infer<typeof fuzzedSchema>;
export type Reliability = z.infer<typeof reliabilitySchema>;

const DATA = ["docs", "reliability.json"];
const PAGE = ["docs", "reliability.md"];

export function readReliability(project: string): Reliability {
  const file = join(project, ...DATA);
  return reliabilitySchema.parse(existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : {});
}

/** Day and commit of a run that has just ended. */
export function ranNow(project: string): { date: string; commit: string } {
  const git = (...given: string[]): string => spawnSync("git", given, { cwd: project, encoding: "utf8" }).stdout?.trim() ?? "";
  const commit = git("rev-parse", "--short", "HEAD") || "unknown";
  const changed = git("status", "--porcelain", "--untracked-files=no")
    .split("\n")
    .filter((line) => !/docs\/reliability\./.test(line) && line !== "");
  return { date: new Date().toISOString().slice(0, 10), commit: changed.length === 0 ? commit : `${commit} with changes` };
}

export function writeTortured(project: string, tortured: Tortured): void {
  const { torture, fuzz } = readReliability(project);
  const others = torture.filter(({ system }) => system !== tortured.system);
  write(project, { torture: [...others, tortured].sort((a, b) => (a.system < b.system ? -1 : 1)), fuzz });
}

export function writeFuzzed(project: string, fuzz: Fuzzed): void {
  write(project, { ...readReliability(project), fuzz });
}

function write(project: string, reliability: Reliability): void {
  writeFileSync(join(project, ...DATA), `${JSON.stringify(reliability, null, 2)}\n`);
  writeFileSync(join(project, ...PAGE), pageOf(reliability));
}

/** The page. Pure. */
export function pageOf({ torture, fuzz }: Reliability): string {
  return `# Reliability

Figures of the last long runs. The commands below make them anew and write this page (\`--write\`); nothing else does.

## Torture

    npm run torture -- --system <system> --rounds 50 --write

Each round deploys, deploys a release that cannot run, rolls back by some scope or undoes a rollback, by verb or by pins, on a stack of its own.
Up to three times somebody is killed with SIGKILL at a random moment: the verb, the Pulumi CLI, the language host, the provider, a service, the
gate, the PostgreSQL server, the process that makes standby copies, retention; also while it recovers. Then the command that the product advises is run until the
system is as declared. A client that writes all the time remembers what was acknowledged; clients with roles of their own try to connect and read.

${table(
  ["system", "date", "commit", "seed", "rounds", "kills", "converged", "acknowledged", "lost", "locked out"],
  torture.map(({ system, date, commit, seed, rounds, kills, converged, acknowledged, lost, lockedOut }) => [
    system,
    date,
    commit,
    seed,
    ...[rounds, kills, converged, acknowledged, lost, lockedOut].map(shown),
  ]),
)}

- converged: rounds after which every release answers as pinned, the gate is as declared and status says so.
- acknowledged: writes the client was promised. Lost: those that are in no database and no export, wrong, or deleted and there again.
- locked out: clients of others that could not connect or read at the end of a round.

The same seed makes the same choices: \`npm run torture -- --system <system> --rounds <rounds> --seed <seed>\`. A run that ends with a round that
is not well leaves its stack, with the output of every command, and says how to repeat it. An interrupted run removes what it made; what one that
was killed left is removed by the next, or by \`npm run drill -- --clean\`, as kept stacks are.

## Fuzz

    npm run fuzz -- --mutations 2000 --write

Damaged stack files (as text and as data), names where verbs take names, and definitions. Each gets one clean answer: it is allowed, or refused in
sentences that name key, value and what is allowed. Some of them are given to \`backout preview\` and \`pulumi preview\` as processes. Nothing in the
stack's file and home may change.

${table(
  ["date", "commit", "seed", "mutations", "raw errors", "touched"],
  fuzz === null ? [] : [[fuzz.date, fuzz.commit, fuzz.seed, ...[fuzz.mutations, fuzz.rawErrors, fuzz.touched].map(shown)]],
)}
`;
}

function shown(figure: number): string {
  return figure.toLocaleString("en");
}

/** Columns as wide as their widest cell, as the project's format has it. */
function table(heads: string[], rows: string[][]): string {
  if (rows.length === 0) return "No run is recorded yet.";
  const widths = heads.map((head, column) => Math.max(3, head.length, ...rows.map((row) => row[column]!.length)));
  const line = (cells: string[]): string => `| ${cells.map((cell, column) => cell.padEnd(widths[column]!)).join(" | ")} |`;
  return [line(heads), line(widths.map((width) => "-".repeat(width))), ...rows.map(line)].join("\n");
}
