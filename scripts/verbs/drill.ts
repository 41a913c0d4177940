/** `backout drill`: a rollback rehearsed in an ephemeral stack, timed and judged; only its report is kept. */
import { join, resolve } from "node:path";
import type { Command } from "commander";
import { printed } from "../../drill/outcome.ts";
import { knownDrills } from "../../drill/record.ts";
import { removeFinished } from "../../drill/remove.ts";
import { summary, wantsColor } from "../../drill/report/summary.ts";
import { requestOf, type DrillWish } from "../../drill/request.ts";
import { commandOf, drillCommand } from "../../config/commands.ts";
import { findProject } from "../pulumi/project.ts";
import type { OpenStack } from "../pulumi/stack.ts";
import { allPassed, drillAll, tellAll } from "./drill-all.ts";
import { listed, stackOf, stacksOf, tellList } from "./drill-list.ts";
import { drillEach, type Drilled } from "./drilling.ts";
import { InterruptedError } from "./interruption.ts";
import { finish, print, say } from "../pulumi/outcome.ts";

interface Options extends DrillWish {
  json?: boolean;
  list?: boolean;
  clean?: boolean;
  all?: boolean;
  jobs?: string;
}

async function drill(source: OpenStack, options: Options): Promise<Drilled> {
  const request = requestOf(source, options, resolve(options.reports ?? join(source.project, "reports")));
  const [drilled] = await drillEach(source.project, [{ prefix: "", request: async () => request }]);
  if (drilled instanceof Error) throw drilled;
  return drilled!;
}

function tell({ report, kept }: Drilled): void {
  print(summary(report, { color: wantsColor(process.stdout) }));
  if (kept === null) return;
  const { folder, stack } = kept;
  print(
    `\nThe stack was kept in ${folder}\n` +
      `  inspect: cd ${folder} && BACKOUT_PRIVATE=1 BACKOUT_HOME=${join(folder, "home")} ${commandOf(findProject(), "backout", `status --stack ${stack}`)}\n` +
      `  remove:  ${drillCommand(findProject(), "--clean")}\n`,
  );
}

export function addDrill(program: Command): void {
  program
    .command("drill [system]")
    .description("rehearse a rollback in an ephemeral stack: deploy, break, preview, roll back, verify, judge, destroy, report")
    .option("--fault <name>", "fault to switch on (default: the system's)")
    .option("--scope <name>", "scope of the rollback (default: the fault's)")
    .option("--service <name>", "service, for a scope of one service (default: the fault's)")
    .option("--new-writes <what>", "rows written since, for a scope that restores data: export, reapply or reject")
    .option("--rows <number>", "rows of data written under the older release (default: 10000)")
    .option("--no-watch", "do not rehearse the watch that follows the rollback")
    .option("--keep", "keep the stack")
    .option("--clean", "only remove what earlier drills left, kept stacks included")
    .option("--list", "only list faults and scopes of the system, or of all systems")
    .option("--all", "run every fault of the system, or of all systems, with its own scope; prints a table (default: 300 rows each)")
    .option("--jobs <number>", "with --all: how many drills at a time (default: 1)")
    .option("--reports <folder>", "folder of the reports (default: reports/ of the project)")
    .option("--json", "one JSON document on standard output, progress on standard error")
    .action(async (system: string | undefined, options: Options) => {
      const project = (): string => findProject();
      if (options.clean === true)
        return finish(
          options.json,
          async () => ({ removed: await removeFinished(project(), say), running: knownDrills(project()).map(({ folder }) => folder) }),
          ({ removed }) => print(removed.length === 0 ? "nothing to remove\n" : `removed ${removed.join(", ")}\n`),
        );
      if (options.list === true) return finish(options.json, async () => listed(await stacksOf(project(), system)), tellList);
      let interruption: InterruptedError | null = null;
      const interruptible = async <T>(work: () => Promise<T>): Promise<T> => {
        try {
          return await work();
        } catch (error) {
          if (error instanceof InterruptedError) interruption = error;
          throw error;
        }
      };
      if (options.all === true)
        await finish(
          options.json,
          () => interruptible(async () => drillAll(project(), await stacksOf(project(), system), options)),
          tellAll,
          allPassed,
        );
      else {
        let drilled: Drilled | null = null;
        await finish(
          options.json,
          () => interruptible(async () => printed((drilled = await drill(await stackOf(project(), system), options)).report)),
          () => drilled !== null && tell(drilled),
          ({ verdict }) => verdict === "passed",
        );
      }
      // The interrupted work may still wait for something that is gone.
      if (interruption !== null) process.exit((interruption as InterruptedError).exitCode);
    });
}
