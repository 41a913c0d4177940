import { runCli } from "./pulumi/cli.ts";
import { toStandardError } from "./pulumi/progress.ts";

try {
  process.exitCode = await runCli(process.argv.slice(2));
} catch (error) {
  toStandardError((error as Error).message);
  process.exitCode = 1;
}
