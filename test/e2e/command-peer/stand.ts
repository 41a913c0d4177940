/** A host of a test's own, and a stack whose resources reach it by @pulumi/command: what they are is said anew for each update. */
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { makeEphemeralStack } from "../../../drill/ephemeral-stack.ts";
import { ensureEngine } from "../../../scripts/pulumi/engine.ts";
import { runPulumi } from "../../../scripts/pulumi/pulumi-run.ts";
import { commandStandIn } from "../../peers/command-plugin.ts";
import { endPm2, PM2_PATH, pm2Environment } from "../../peers/pm2.ts";
import { startSshd } from "../../peers/sshd.ts";
import { filesBelow } from "../stand/base.ts";
import type { Declared } from "./index.ts";

export interface Update {
  code: number;
  output: string;
}

export type CommandStand = Awaited<ReturnType<typeof makeCommandStand>>;

/** The host accepts variables whose names begin with `SHOP_`. Whatever happens, call `destroy`. */
export async function makeCommandStand() {
  const folder = mkdtempSync(join(tmpdir(), "backout-command-"));
  chmodSync(folder, 0o755);
  const host = await startSshd({ acceptEnv: ["SHOP_*"], path: [...PM2_PATH], environment: pm2Environment }).catch((error: unknown) => {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  });
  /** Without its key: the program has it from this file. */
  const connection: Record<string, unknown> = {
    host: host.host,
    port: host.port,
    user: host.user,
    hostKey: host.hostKey,
    dialErrorLimit: 0,
  };
  const key = join(folder, "key");
  writeFileSync(key, host.privateKey, { mode: 0o600 });
  const resources = join(folder, "resources.json");
  const stack = await makeStack(folder, { "peer:resources": resources, "peer:key": key });
  let spoken = "";
  const pulumi = async (...given: string[]): Promise<Update> => {
    // No agent of whoever runs the tests.
    const environment = { ...stack.environment, SSH_AUTH_SOCK: undefined };
    const outcome = await runPulumi({ project: stack.folder, stack: stack.stack, arguments: given, environment });
    spoken += outcome.output;
    return outcome;
  };
  const declare = (...declared: Declared[]): void => writeFileSync(resources, JSON.stringify(declared));
  const up = async (...declared: Declared[]): Promise<Update> => {
    declare(...declared);
    return pulumi("up", "--yes", "--skip-preview");
  };
  /** @throws with the engine's output where it did not succeed */
  const upWell = async (...declared: Declared[]): Promise<string> => {
    const { code, output } = await up(...declared);
    if (code !== 0) throw new Error(output);
    return output;
  };
  const selected = await pulumi("stack", "select", "--create");
  if (selected.code !== 0) throw new Error(selected.output);
  const onHost = (...path: string[]): string => join(host.home, ...path);
  return {
    folder,
    host,
    stack,
    key,
    connection,
    pulumi,
    declare,
    up,
    upWell,
    /** Everything the engine said. */
    spoken: () => spoken,
    /** What the commands said, by resource. */
    said: async () => {
      const { output } = await pulumi("stack", "output", "--json");
      return (JSON.parse(output) as { said: Record<string, { stdout: string; stderr: string }> }).said;
    },
    /** The exported state, as text. */
    inState: async () => (await pulumi("stack", "export")).output,
    onHost,
    read: (...path: string[]): string => readFileSync(onHost(...path), "utf8"),
    /** Files below a folder of the host. */
    treeOf: (root: string): string[] =>
      filesBelow(onHost(root))
        .map((file) => relative(onHost(root), file))
        .sort(),
    /** Makes a folder on this machine anew, with these files. */
    local: (name: string, files: Record<string, string>): string => {
      const path = join(folder, name);
      rmSync(path, { recursive: true, force: true });
      for (const [file, text] of Object.entries(files)) {
        mkdirSync(join(path, file, ".."), { recursive: true });
        writeFileSync(join(path, file), text);
      }
      return path;
    },
    remote: (name: string, args: Record<string, unknown>, more: Partial<Declared> = {}): Declared => ({
      type: "remote",
      name,
      ...more,
      args: { connection, ...args },
    }),
    copy: (name: string, remotePath: string, source: Declared["source"], args: Record<string, unknown> = {}): Declared => ({
      type: "copy",
      name,
      source,
      args: { connection, remotePath, ...args },
    }),
    destroy: async (): Promise<void> => {
      await pulumi("destroy", "--yes", "--skip-preview").catch(() => undefined);
      await endPm2(host.home);
      await host.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function makeStack(folder: string, config: Record<string, string>) {
  const source = join(folder, "source");
  mkdirSync(join(source, "stacks"), { recursive: true });
  const standIn = commandStandIn();
  const project = {
    name: "peer",
    main: join(import.meta.dirname, "index.ts"),
    runtime: { name: "nodejs", options: { typescript: false } },
    stackConfigDir: "stacks",
    plugins: { providers: standIn === null ? [] : [{ name: "command", path: standIn }] },
  };
  writeFileSync(join(source, "Pulumi.yaml"), JSON.stringify(project));
  writeFileSync(join(source, "stacks", "Pulumi.dev.yaml"), JSON.stringify({ config }));
  const engine = await ensureEngine({ log: () => undefined });
  return makeEphemeralStack({ project: source, stack: "dev", folder: join(folder, "project"), name: "peer", engine });
}
