import { PulumiCommand } from "@pulumi/pulumi/automation/index.js";

// Without a version it installs the release of the @pulumi/pulumi package that is installed here.
const root = process.argv[2];
if (root === undefined) throw new Error("usage: install-release <folder>");
try {
  await PulumiCommand.install({ root });
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exitCode = 1;
}
