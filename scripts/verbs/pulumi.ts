/** `backout pulumi`: the engine that backout finds or gets, for who has none on the PATH. */
import type { Command } from "commander";
import { UsageError } from "../../config/errors.ts";
import { runCli } from "../pulumi/cli.ts";
import { EXIT } from "../pulumi/outcome.ts";
import { toStandardError } from "../pulumi/progress.ts";

export function addPulumi(program: Command): void {
  program
    .command("pulumi")
    .description("run the Pulumi engine with this project's state and passphrase; its options are Pulumi's own")
    .usage("<command> [options of Pulumi]")
    .argument("<words...>", "command of Pulumi with its options")
    .addHelpText(
      "after",
      "\nThe engine is one on the PATH, else it is downloaded or built once. It exits as Pulumi does.\n" +
        "\nExamples:\n  backout pulumi up --stack dev\n  backout pulumi destroy --stack dev\n  backout pulumi up --help",
    )
    .passThroughOptions()
    .allowUnknownOption()
    .action(async (words: string[]) => {
      try {
        process.exitCode = await runCli(words);
      } catch (error) {
        toStandardError((error as Error).message);
        process.exitCode = error instanceof UsageError ? EXIT.usage : EXIT.failed;
      }
    });
}
