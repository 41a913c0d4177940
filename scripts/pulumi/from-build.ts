import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { findExecutables } from "./find-executable.ts";
import { type Log, withProgress } from "./progress.ts";
import { CommandFailedError, run } from "./run.ts";
import { ENGINE_VERSION } from "./version.ts";

const CLI_PACKAGE = "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi";
const CLI_VERSION_VARIABLE = "github.com/pulumi/pulumi/sdk/v3/go/common/version.Version";
const HOST_PACKAGE = "github.com/pulumi/pulumi/sdk/v3/nodejs/cmd/pulumi-language-nodejs";
const PASSING_TROUBLE = /dial tcp|timeout|connection reset|unexpected EOF|TLS handshake|\b50[234]\b/i;

/**
 * Today's engine sends the runtime options of Pulumi.yaml inside its request; the last language host that is published as a Go package
 * only takes them as arguments, and would otherwise load a TypeScript compiler on every run.
 */
const LANGUAGE_HOST = `#!/bin/sh
exec "$(dirname "$0")/pulumi-language-nodejs-host" \\
  "-typescript=\${BACKOUT_LANGUAGE_TYPESCRIPT:-false}" \\
  \${BACKOUT_LANGUAGE_TSCONFIG:+"-tsconfig=$BACKOUT_LANGUAGE_TSCONFIG"} \\
  \${BACKOUT_LANGUAGE_NODEARGS:+"-nodeargs=$BACKOUT_LANGUAGE_NODEARGS"} \\
  "$@"
`;

/** Builds the CLI and its Node language host from the published Go modules into `root` (programs in `bin`), with committed sums. */
export async function engineFromBuild(root: string, log: Log): Promise<void> {
  const [go] = await findExecutables("go");
  if (!go) throw new Error("there is no `go` on the PATH.");
  if (process.platform === "win32") throw new Error("building is not supported on Windows.");
  const bin = join(root, "bin");
  await mkdir(bin, { recursive: true });
  const stamp = `-X ${CLI_VERSION_VARIABLE}=v${ENGINE_VERSION}`;
  await build(go, "cli", CLI_PACKAGE, join(bin, "pulumi"), ["-ldflags", stamp], `Building Pulumi ${ENGINE_VERSION} with Go (minutes)`, log);
  await build(go, "host", HOST_PACKAGE, join(bin, "pulumi-language-nodejs-host"), [], "Building its Node language host with Go", log);
  await writeFile(join(bin, "pulumi-language-nodejs"), LANGUAGE_HOST);
  await chmod(join(bin, "pulumi-language-nodejs"), 0o755);
}

async function build(go: string, module: string, name: string, out: string, flags: string[], what: string, log: Log): Promise<void> {
  const cwd = fileURLToPath(new URL(`./go/${module}/`, import.meta.url));
  const args = ["build", "-mod=readonly", "-trimpath", "-buildvcs=false", "-v", ...flags, "-o", out, name];
  let seen = { downloads: 0, packages: 0 };
  const attempt = () => {
    seen = { downloads: 0, packages: 0 };
    return run(go, args, {
      cwd,
      env: { ...process.env, GOWORK: "off" },
      onErrorLine: (line) => (line.startsWith("go: downloading") ? seen.downloads++ : seen.packages++),
    });
  };
  const detail = () => `${seen.downloads} modules fetched, ${seen.packages} packages compiled`;
  try {
    await withProgress(
      log,
      what,
      () => attempt().catch((error: unknown) => (hasPassingTrouble(error) ? attempt() : Promise.reject(error as Error))),
      detail,
    );
  } catch (error) {
    if (error instanceof CommandFailedError) throw new Error(error.lastLines() || error.message, { cause: error });
    throw error;
  }
}

/** What was fetched and compiled before stays in Go's own cache, so that a second attempt resumes. */
function hasPassingTrouble(error: unknown): boolean {
  return error instanceof CommandFailedError && PASSING_TROUBLE.test(error.stderr);
}
