/** `backout drill`: a rollback rehearsed in an ephemeral stack, timed and judged; leaves nothing but its report. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Command } from "commander";
import { parse } from "yaml";
import { printed, reportOf } from "../../drill/outcome.ts";
import { knownDrills } from "../../drill/record.ts";
import { removeDrill, removeFinished, removeLeftovers } from "../../drill/remove.ts";
import { summary, wantsColor } from "../../drill/report/summary.ts";
import type { DrillReport } from "../../drill/report/schema.ts";
import { requestOf, type DrillWish } from "../../drill/request.ts";
import { runDrill } from "../../drill/run.ts";
import { suggestion } from "../../declared/errors.ts";
import { ensureEngine } from "../engine/engine.ts";
import { findProject } from "../engine/project.ts";
import { openStack, stackFile, stackFolder, type OpenStack } from "../stack.ts";
import { finish, say, UsageError } from "./outcome.ts";

interface Options extends DrillWish {
  json?: boolean;
  list?: boolean;
  clean?: boolean;
}

/** Ctrl-C: everything was removed, and the exit code says which signal it was. */
class InterruptedError extends Error {
  readonly exitCode: number;
  constructor(signal: string, exitCode: number) {
    super(`interrupted by ${signal}: everything the drill made is removed`);
    this.name = "InterruptedError";
    this.exitCode = exitCode;
  }
}

const SIGNALS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

/** The stack of a system; the first one unless it is named. */
async function stackOf(project: string, system: string | undefined): Promise<OpenStack> {
  const folder = stackFolder(project);
  const names = existsSync(folder) ? readdirSync(folder).flatMap((file) => /^Pulumi\.(.+)\.yaml$/.exec(file)?.[1] ?? []) : [];
  const systems = names.sort().map((stack) => {
    const { config } = parse(readFileSync(join(folder, `Pulumi.${stack}.yaml`), "utf8")) as { config?: Record<string, unknown> };
    const named = config?.["backout:system"];
    return { stack, system: typeof named === "string" ? named : "" };
  });
  const found = system === undefined ? systems[0] : systems.find((one) => one.system === system);
  const known = [...new Set(systems.map((one) => one.system))];
  if (found === undefined)
    throw new UsageError(
      system === undefined
        ? `no stack is declared in ${folder}`
        : `there is no stack of "${system}" in ${folder}; there are ${known.join(", ") || "none"}${suggestion(system, known)}`,
    );
  return openStack(stackFile(found.stack, project));
}

interface Drilled {
  report: DrillReport;
  /** Where it was left standing; null: nowhere. */
  kept: { folder: string; stack: string } | null;
}

/** How long the drill may take to notice that it was interrupted. Milliseconds. */
const NOTICE_MS = 15_000;

async function drill(source: OpenStack, options: Options): Promise<Drilled> {
  const request = requestOf(source, options, resolve(options.reports ?? join(source.project, "reports")));
  const stopping = new AbortController();
  let folder: string | null = null;
  const work = (async (): Promise<Drilled> => {
    await removeLeftovers(source.project, say);
    const engine = await ensureEngine({ log: say });
    const facts = await runDrill(request, engine, say, (made) => (folder = made), stopping.signal);
    return {
      report: reportOf(facts, engine),
      kept: facts.kept && facts.stage !== null ? { folder: facts.stage.folder, stack: facts.stage.stack.stack } : null,
    };
  })();
  const interrupted = new Promise<never>((_, reject) => {
    for (const [signal, exitCode] of Object.entries(SIGNALS))
      process.on(signal, () => {
        if (stopping.signal.aborted) return;
        stopping.abort(new InterruptedError(signal, exitCode));
        say(`${signal}: the drill is being removed …`);
        void removeInterrupted(() => folder, work).then(() => reject(stopping.signal.reason as Error), reject);
      });
  });
  // Whatever the drill was doing fails under its feet once it is being removed; only the interruption counts then.
  return Promise.race([interrupted, work.catch((error: Error) => (stopping.signal.aborted ? interrupted : Promise.reject(error)))]);
}

/** Twice: what the drill was just starting when it was interrupted comes to light when it has noticed. */
async function removeInterrupted(folder: () => string | null, work: Promise<unknown>): Promise<void> {
  const remove = async (): Promise<void> => void (folder() === null || (await removeDrill(folder()!)));
  await remove();
  await Promise.race([work.catch(() => undefined), new Promise((noticed) => setTimeout(noticed, NOTICE_MS))]);
  await remove();
}

function tell({ report, kept }: Drilled): void {
  process.stdout.write(summary(report, { color: wantsColor(process.stdout) }));
  if (kept === null) return;
  const { folder, stack } = kept;
  process.stdout.write(
    `\nThe stack was kept in ${folder}\n` +
      `  look:    cd ${folder} && BACKOUT_HOME=${join(folder, "home")} npm run backout -- status --stack ${stack}\n` +
      `  remove:  npm run drill -- --clean\n`,
  );
}

export function addDrill(program: Command): void {
  program
    .command("drill [system]")
    .description("rehearse a rollback in an ephemeral stack: deploy, break, preview, roll back, verify, judge, destroy, report")
    .option("--fault <name>", "defect that is switched on; the system's default unless given")
    .option("--scope <name>", "how much goes back; the fault's own unless given")
    .option("--component <name>", "component of a scope that is for one; the fault's own unless given")
    .option("--rows <number>", "rows of data the older release is given (default: 10000)")
    .option("--keep", "leave the stack standing")
    .option("--clean", "remove what earlier drills left, kept ones too, and do nothing else")
    .option("--list", "list faults and scopes of the system, and do nothing else")
    .option("--reports <folder>", "folder of the reports (default: reports/ of the project)")
    .option("--json", "one JSON document on standard output, progress on standard error")
    .action(async (system: string | undefined, options: Options) => {
      const project = (): string => findProject();
      if (options.clean === true)
        return finish(
          options.json,
          async () => ({ removed: await removeFinished(project(), say), running: knownDrills(project()).map(({ folder }) => folder) }),
          ({ removed }) => process.stdout.write(removed.length === 0 ? "nothing to remove\n" : `removed ${removed.join(", ")}\n`),
        );
      if (options.list === true) return finish(options.json, async () => listed(await stackOf(project(), system)), tellList);
      let interruption: InterruptedError | null = null;
      let drilled: Drilled | null = null;
      await finish(
        options.json,
        async () => {
          try {
            drilled = await drill(await stackOf(project(), system), options);
            return printed(drilled.report);
          } catch (error) {
            if (error instanceof InterruptedError) interruption = error;
            throw error;
          }
        },
        () => drilled !== null && tell(drilled),
        ({ verdict }) => verdict === "passed",
      );
      // What the drill was doing when it was interrupted may still wait for something that is gone.
      if (interruption !== null) process.exit((interruption as InterruptedError).exitCode);
    });
}

interface Listed {
  system: string;
  faults: { name: string; title: string; scope: string; default: boolean }[];
  scopes: { name: string; title: string; useWhen: string; budgetSeconds: number }[];
}

function listed({ definition }: OpenStack): Listed {
  const { drill: described, scopes, name } = definition;
  return {
    system: name,
    faults: Object.entries(described.faults).map(([fault, { title, scope }]) => ({
      name: fault,
      title,
      scope,
      default: fault === described.defaultFault,
    })),
    scopes: Object.entries(scopes).map(([scope, { title, useWhen, budgetSeconds }]) => ({ name: scope, title, useWhen, budgetSeconds })),
  };
}

function tellList({ system, faults, scopes }: Listed): void {
  const lines = [`Faults of ${system}:`];
  for (const { name, title, scope, default: usual } of faults)
    lines.push(`  ${name.padEnd(20)} ${scope.padEnd(9)} ${title}${usual ? " (default)" : ""}`);
  lines.push("Scopes:");
  for (const { name, title, budgetSeconds } of scopes)
    lines.push(`  ${name.padEnd(20)} ${String(budgetSeconds / 60).padStart(4)} min  ${title}`);
  process.stdout.write(`${lines.join("\n")}\n`);
}
