/** What is encrypted in a stack file, decrypted by the engine: only where there is something, because that is a start of the engine. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "yaml";
import { commandOf } from "../../config/commands.ts";
import { RefusedError } from "../../config/errors.ts";
import { ensureEngine, engineEnvironment, STACK_NOT_FOUND } from "./engine.ts";
import { prepareProject } from "./project.ts";
import { run, type CommandFailedError } from "./run.ts";
import { say } from "./outcome.ts";

interface File {
  project: string;
  stack: string;
  text: string;
}

/** The engine could not decrypt what the stack file holds. */
export class NotDecryptedError extends RefusedError {
  readonly keys: readonly string[];
  constructor({ project, stack }: Pick<File, "project" | "stack">, keys: readonly string[], reason: string) {
    super(
      `the secrets in the stack file of ${stack} cannot be read (${keys.join(", ")}), nothing was changed: ${reason}. ` +
        `Fix: set PULUMI_CONFIG_PASSPHRASE to what they were encrypted with, or set each again: \`${commandOf(project, "pulumi", `config set --stack ${stack} --secret --path '${keys[0]}'`)}\``,
    );
    this.name = "NotDecryptedError";
    this.keys = keys;
  }
}

/** By project, stack and what a value is encrypted as. */
const known = new Map<string, Promise<Map<string, string>>>();

/**
 * Plain values by what they are encrypted as.
 * @param file its text may be another than what the stack file holds: to look at pins before they are written.
 * @throws NotDecryptedError
 */
export async function secretValues(file: File): Promise<Map<string, string>> {
  const { config } = (parse(file.text) ?? {}) as { config?: unknown };
  const all = ciphers(config).map(({ cipher }) => cipher);
  const of = (cipher: string): string => JSON.stringify([file.project, file.stack, cipher]);
  if (all.some((cipher) => !known.has(of(cipher)))) {
    const asked = ask(file, config);
    for (const cipher of all) known.set(of(cipher), asked);
  }
  const values = new Map<string, string>();
  for (const cipher of all) {
    const value = (await known.get(of(cipher)))!.get(cipher);
    if (value !== undefined) values.set(cipher, value);
  }
  return values;
}

async function ask({ project, stack, text }: File, config: unknown): Promise<Map<string, string>> {
  const engine = await ensureEngine({ log: say });
  await prepareProject(project);
  const pulumi = (...given: string[]) =>
    run(engine.pulumi, [...given, "--stack", stack, "--non-interactive"], { cwd: project, env: engineEnvironment(engine, project) });
  const folder = await mkdtemp(join(tmpdir(), "backout-config-"));
  // What it is encrypted with stands in it, too.
  const copy = join(folder, `Pulumi.${stack}.yaml`);
  await writeFile(copy, text, { mode: 0o600 });
  const keys = ciphers(config).map(({ path }) => path.join("."));
  const show = () => pulumi("config", "--show-secrets", "--json", "--config-file", copy);
  const { stdout } = await show()
    // A clone, or a copy, whose state does not know the stack yet: making it is what an update would do first.
    .catch((error: CommandFailedError) =>
      error.code === STACK_NOT_FOUND ? pulumi("stack", "select", "--create").then(show) : Promise.reject(error),
    )
    .catch((error: CommandFailedError) => Promise.reject(new NotDecryptedError({ project, stack }, keys, error.lastLines())))
    .finally(() => rm(folder, { recursive: true, force: true }));
  const told = JSON.parse(stdout) as Record<string, { value?: string; objectValue?: unknown }>;
  const plain = Object.fromEntries(Object.entries(told).map(([key, { value, objectValue }]) => [key, objectValue ?? value]));
  const values = new Map<string, string>();
  for (const { path, cipher } of ciphers(config)) {
    const value = path.reduce<unknown>((at, step) => (at as Record<string, unknown> | undefined)?.[step], plain);
    if (value !== undefined) values.set(cipher, typeof value === "string" ? value : JSON.stringify(value));
  }
  return values;
}

/** Where something encrypted stands. */
function ciphers(value: unknown, path: string[] = []): { path: string[]; cipher: string }[] {
  if (typeof value !== "object" || value === null) return [];
  const { secure } = value as { secure?: unknown };
  if (typeof secure === "string") return [{ path, cipher: secure }];
  return Object.entries(value).flatMap(([key, inner]) => ciphers(inner, [...path, key]));
}
