/** The stack a verb works on: its project, file, declared state, definition and engine. */
import { NAMESPACE, UsageError, RefusedError, suggestion } from "../../config/errors.ts";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { parseDocument, visit } from "yaml";
import { withSetup } from "../../workloads/setup.ts";
import { changedLines, encryptedKeys, plainSecrets, rawConfig, type LineChange } from "../../config/edit.ts";
import { withDefaultPorts } from "../../config/default-ports.ts";
import { ledgerOrder } from "../../config/ledger.ts";
import { commandOf } from "../../config/commands.ts";
import { parseConfig } from "../../config/parse.ts";
import { programConfig, programFile, programFolder, projectName } from "../../config/program.ts";
import type { Pins } from "../../config/pins.ts";
import { resolvePins } from "../../config/resolve-pins.ts";
import type { StackConfig } from "../../config/schema.ts";
import { hideSecretConfig, requireEncrypted, requireEncryptedKey, requireNoOtherSecrets, secretKeys } from "../../config/secret-config.ts";
import { definitionOf, named, siteOf, type Site } from "../../config/site.ts";
import { configOf } from "../../config/stack-text.ts";
import { schemaOf, withSchemaLine } from "../../config/schema-line.ts";
import { stackFolder } from "../../config/stack-folder.ts";
import { writeAtomically } from "../../processes/atomic-file.ts";
import type { SystemDefinition } from "../../config/system/definition.ts";
import type { Asked } from "../../config/plan.ts";
import { PLAIN_MODULE } from "../../components/plain.ts";
import { plainProgram } from "./describe.ts";
import { findProject } from "./project.ts";
import { recall } from "./recall.ts";
import { secretValues } from "./secret-values.ts";

export interface StackFile {
  project: string;
  stack: string;
  /** `stacks/Pulumi.<stack>.yaml` */
  file: string;
  text: string;
}

export interface OpenStack extends StackFile {
  config: StackConfig;
  /** What is declared besides the pins: the ledger's order, and the scope the pins are those of. */
  asked: Asked;
  definition: SystemDefinition;
  site: Site;
  pins: Pins;
}

/** The stack has no file, or several exist and none was named. */
export class StackNotFoundError extends UsageError {
  readonly given: string | undefined;
  constructor(stack: string | undefined, known: string[], folder: string, project: string) {
    super(
      stack === undefined
        ? known.length === 0
          ? `no stack is declared in ${folder}: create one with \`${commandOf(project, "pulumi", "stack init <name>")}\``
          : `several stacks are declared in ${folder}: name one with --stack:\n${known.map((name) => `  --stack ${name}`).join("\n")}`
        : `there is no stack file for "${stack}" in ${folder}; there are ${known.join(", ") || "none"}${suggestion(stack, known)}`,
    );
    this.name = "StackNotFoundError";
    this.given = stack;
  }
}

function stacksIn(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder).flatMap((name) => /^Pulumi\.(.+)\.yaml$/.exec(name)?.[1] ?? []) : [];
}

export function stackFile(stack: string | undefined, from?: string): StackFile {
  const project = findProject(from);
  const folder = stackFolder(project);
  const known = stacksIn(folder);
  const chosen = stack ?? (known.length === 1 ? known[0] : undefined);
  if (chosen === undefined || !known.includes(chosen)) throw new StackNotFoundError(chosen, known, folder, project);
  const file = join(folder, `Pulumi.${chosen}.yaml`);
  return { project, stack: chosen, file, text: readFileSync(file, "utf8") };
}

/** A stack's system, before its pins are resolved. */
export interface OpenSystem extends StackFile {
  config: StackConfig;
  definition: SystemDefinition;
  site: Site;
  /** The ledger's order, oldest first; null: it lists no release. */
  order: readonly string[] | null;
  /** Keys that hold something encrypted. */
  secret: string[];
}

/** @param text instead of what the file holds: to look at pins before they are written. */
export async function openStack(found: StackFile, text: string = found.text): Promise<OpenStack> {
  const {
    config,
    definition,
    site: bare,
    order,
    secret,
  } = await openSystem(found, text).catch((error: unknown) => {
    // Without a ledger the configuration is refused for what it lacks: only then is the text read once more.
    requireLedger({ ...found, text });
    throw error;
  });
  await recall({ ...found, text }, { site: bare, definition }, stacksIn(stackFolder(found.project)));
  const asked = { order, scope: config.scope ?? null };
  const { site, pins } = hideSecretConfig(resolvePins(config, definition, bare), bare, secret);
  return { ...found, text, config, asked, definition, site, pins: withSetup(pins, site, definition) };
}

export function hasLedger({ text, file }: Pick<StackFile, "text" | "file">): boolean {
  const releases = configOf(text, file)[`${NAMESPACE}:releases`];
  return releases != null && !(typeof releases === "object" && Object.keys(releases).length === 0);
}

/** @throws RefusedError where no release was entered yet */
function requireLedger(found: StackFile): void {
  if (hasLedger(found)) return;
  const command = commandOf(found.project, "backout", `release add <name> <folder or image> --stack ${found.stack}`);
  throw new RefusedError(`the ledger backout:releases of ${found.stack} is empty. To enter the first release, run \`${command}\``);
}

/** Reads a stack file and the definition of its system, whatever its pins say. @param text as for `openStack` */
export async function openSystem(found: StackFile, text: string = found.text): Promise<OpenSystem> {
  const encrypted = encryptedKeys(text, found.file);
  const secret = secretKeys((key) => encrypted.includes(key));
  requireNoOtherSecrets(secret);
  const order = ledgerOrder(text, found.file);
  const raw = rawConfig(text, found.file, await secretValues({ ...found, text }));
  const password = process.env["BACKOUT_SERVER_PASSWORD"];
  const declared = parseConfig(password === undefined ? raw : { ...raw, "backout:serverPassword": password }, secret);
  requireEncrypted(plainSecrets(text, found.file), found.project);
  requireEncryptedKey(declared.storeKey !== undefined, secret, found.project);
  const plain = declared.system === undefined ? await plainProgram(found) : null;
  const project = projectName(found.project);
  const bare = siteOf(
    declared,
    found.stack,
    programFolder(found.project),
    plain === null
      ? { file: programFile(found.project), project, config: programConfig(raw, encrypted) }
      : { file: PLAIN_MODULE, project, config: {}, plain },
  );
  const definition = await definitionOf(bare);
  const config = withDefaultPorts(declared, definition);
  return { ...found, text, config, definition, site: named(bare, definition, config), order, secret };
}

/** Somebody changed the stack file since it was read: what they wrote is not written over. */
export class StackChangedError extends RefusedError {
  readonly file: string;
  constructor(file: string, { removed, added }: LineChange) {
    super(
      [`${file} was changed meanwhile, so it was not written; check the difference and run the same command again:`]
        .concat(removed.map((line) => `- ${line}`))
        .concat(added.map((line) => `+ ${line}`))
        .join("\n"),
    );
    this.name = "StackChangedError";
    this.file = file;
  }
}

/**
 * Writes the stack file, where it still says what was read; a new one begins with the line that names its schema. @returns the file as it is now.
 * @throws StackChangedError
 */
export function writeStack<T extends StackFile>(found: T, text: string): T {
  const there = existsSync(found.file) ? readFileSync(found.file, "utf8") : null;
  if (there !== null && asRead(there) !== asRead(found.text))
    throw new StackChangedError(found.file, changedLines(withoutSalt(found.text), withoutSalt(there)));
  const written = there === null ? withSchemaLine(text, dirname(found.file), schemaOf(found.project)) : keepSalt(there, text);
  writeAtomically(found.file, written, 0o644);
  return { ...found, text: written };
}

/** The engine writes the passphrase's salt into the stack file when it makes the stack; it must survive an edit of what was read before. */
const SALT = /^encryptionsalt:.*\n?/m;

function withoutSalt(text: string): string {
  return text.replace(SALT, "").trimEnd();
}

/**
 * What a text says, its comments included. The engine, when it writes the salt, also writes maps, truth values and numbers in its own way, which
 * is no change.
 */
function asRead(text: string): string {
  const document = parseDocument(withoutSalt(text));
  visit(document, {
    Scalar: (_key, node) => {
      node.value = String(node.value);
      delete node.type;
      delete node.spaceBefore;
    },
    Collection: (_key, node) => {
      node.flow = false;
      delete node.spaceBefore;
    },
  });
  return document.toString({ lineWidth: 0 });
}

function keepSalt(there: string, text: string): string {
  const salt = SALT.exec(there)?.[0].trimEnd();
  return SALT.test(text) || salt === undefined ? text : `${text.trimEnd()}\n${salt}\n`;
}
