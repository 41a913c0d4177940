/** What is encrypted in a stack file, decrypted by the engine: only where there is something, because that is a start of the engine. */
import { parse } from "yaml";
import { ensureEngine, engineEnvironment } from "./engine/engine.ts";
import { prepareProject } from "./engine/project.ts";
import { run, type CommandFailedError } from "./engine/run.ts";
import { say } from "./verbs/outcome.ts";

interface File {
  project: string;
  stack: string;
  text: string;
}

/** The engine could not decrypt what the stack file holds. */
export class NotDecryptedError extends Error {
  constructor(stack: string, reason: string) {
    super(`the secrets in the stack file of ${stack} cannot be read, nothing was changed: ${reason}`);
    this.name = "NotDecryptedError";
  }
}

const known = new Map<string, Promise<Map<string, string>>>();

/** Plain values by what they are encrypted as. @throws NotDecryptedError */
export async function secretValues(file: File): Promise<Map<string, string>> {
  const { config } = (parse(file.text) ?? {}) as { config?: unknown };
  if (ciphers(config).length === 0) return new Map();
  const key = JSON.stringify([file.project, file.stack, config]);
  const asked = known.get(key) ?? ask(file, config);
  known.set(key, asked);
  return asked;
}

async function ask({ project, stack }: File, config: unknown): Promise<Map<string, string>> {
  const engine = await ensureEngine({ log: say });
  await prepareProject(project);
  const pulumi = (...given: string[]) =>
    run(engine.pulumi, [...given, "--stack", stack, "--non-interactive"], { cwd: project, env: engineEnvironment(engine, project) });
  const show = () => pulumi("config", "--show-secrets", "--json");
  const { stdout } = await show()
    // A clone, or a copy, whose state does not know the stack yet: making it is what an update would do first.
    .catch((error: CommandFailedError) =>
      error.stderr.includes("no stack named") ? pulumi("stack", "select", "--create").then(show) : Promise.reject(error),
    )
    .catch((error: CommandFailedError) => Promise.reject(new NotDecryptedError(stack, error.lastLines())));
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
