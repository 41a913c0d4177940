/** A stand-in of the provider of @pulumi/command 1.2.1: its resources, by their properties as the engine hands them over. */
import { randomBytes } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import type { provider } from "@pulumi/pulumi";
import { UNKNOWN, type Values } from "../../../provider/resource.ts";
import { isSecret, secret, unwrap } from "../../../provider/wire.ts";
import { DEFAULTS } from "./connection.ts";
import { copyToRemote, type CopyInputs, type Source } from "./copy.ts";
import { runLocally, type LocalInputs } from "./local.ts";
import type { Messages } from "./messages.ts";
import type { Output } from "./output.ts";
import { runRemotely, type RemoteInputs } from "./remote.ts";

const COMMAND = ["triggers", "create", "update", "delete", "stdin", "logging", "environment", "addPreviousOutputInEnv"];
/** Inputs by type. */
const INPUTS: Record<string, string[]> = {
  "command:local:Command": [...COMMAND, "interpreter", "dir", "assetPaths", "archivePaths"],
  "command:remote:Command": [...COMMAND, "connection"],
  "command:remote:CopyToRemote": ["connection", "triggers", "source", "remotePath"],
};
const NEEDED = ["connection", "source", "remotePath"];

const SIGNATURE = "4dabf18193072939515e22adb298388d";
const ASSET = "c44067f5952c0a294b673a41bacd8c17";
const ARCHIVE = "0def7320c3a5731c473e5ecbe6d01bc7";

export class CommandProvider implements provider.Provider {
  readonly version = "1.2.1";
  private readonly messagesOf: (urn: string) => Messages;
  private readonly cancelling = new AbortController();

  constructor(messagesOf: (urn: string) => Messages) {
    this.messagesOf = messagesOf;
  }

  async check(urn: string, _olds: Values, news: Values): Promise<provider.CheckResult> {
    const inputs = { ...news };
    const names = inputsOf(urn);
    const missing = NEEDED.filter((name) => names.includes(name) && (inputs[name] ?? undefined) === undefined);
    const failures = missing.map((property) => ({ property, reason: `the property ${property} is required but missing` }));
    for (const name of ["assetPaths", "archivePaths"])
      if (name in inputs) failures.push({ property: name, reason: "the stand-in of the tests has no assets of a command" });
    if (inputs["connection"] !== undefined && names.includes("connection")) {
      const connection = withDefaults(plainly(inputs["connection"]));
      if (isRecord(connection) && connection["host"] === undefined)
        failures.push({ property: "connection.host", reason: "is required but missing" });
      inputs["connection"] = secret(connection);
    }
    if (names.includes("source")) failures.push(...sourceFailures(unwrap(inputs["source"])));
    return { inputs, failures };
  }

  async diff(_id: string, urn: string, olds: Values, news: Values): Promise<provider.DiffResult> {
    const changed = inputsOf(urn).filter((name) => !isDeepStrictEqual(compared(unwrap(olds[name])), compared(unwrap(news[name]))));
    return { changes: changed.length > 0, replaces: changed.filter((name) => name === "triggers") };
  }

  async create(urn: string, inputs: Values): Promise<provider.CreateResult> {
    const outs = await this.carryOut("create", urn, inputs, NOTHING_SAID);
    const prefix = typeOf(urn).endsWith(":Command") ? urn.split("::").at(-1) : "";
    return { id: `${prefix}${randomBytes(4).toString("hex")}`, outs };
  }

  async update(_id: string, urn: string, olds: Values, news: Values): Promise<provider.UpdateResult> {
    const previous = outputOf(olds);
    if (!isCopy(urn)) return { outs: await this.carryOut("update", urn, news, previous) };
    // What is copied is not copied again because of another connection.
    const [old, now] = [opened<CopyInputs>(olds), opened<CopyInputs>(news)];
    const same = old.source.hash === now.source.hash && old.remotePath === now.remotePath;
    return { outs: same ? news : await this.carryOut("update", urn, news, previous) };
  }

  async delete(_id: string, urn: string, props: Values): Promise<void> {
    if (!isCopy(urn)) await this.carryOut("delete", urn, props, outputOf(props));
  }

  async cancel(): Promise<void> {
    this.cancelling.abort();
  }

  private async carryOut(operation: "create" | "update" | "delete", urn: string, inputs: Values, previous: Output): Promise<Values> {
    const { signal } = this.cancelling;
    const messages = this.messagesOf(urn);
    if (isCopy(urn)) {
      await copyToRemote(opened<CopyInputs>(inputs), messages, signal);
      return inputs;
    }
    const command = opened<Partial<Record<typeof operation, string>>>(inputs);
    const line = operation === "update" ? (command.update ?? command.create) : command[operation];
    if (line === undefined) return { ...inputs, ...previous };
    const output = typeOf(urn).includes(":local:")
      ? await runLocally(line, opened<LocalInputs>(inputs), previous, messages, signal)
      : await runRemotely(line, opened<RemoteInputs>(inputs), previous, messages, signal);
    return { ...inputs, ...output };
  }
}

/** `urn:pulumi:<stack>::<project>::<parent$type>::<name>` */
const typeOf = (urn: string): string => urn.split("::")[2]!.split("$").at(-1)!;
const NOTHING_SAID: Output = { stdout: "", stderr: "" };
const isRecord = (value: unknown): value is Values => typeof value === "object" && value !== null && !Array.isArray(value);
const isCopy = (urn: string): boolean => typeOf(urn) === "command:remote:CopyToRemote";
const outputOf = (values: Values): Output => ({
  ...NOTHING_SAID,
  ...opened<Partial<Output>>({ stdout: values["stdout"], stderr: values["stderr"] }),
});

function inputsOf(urn: string): string[] {
  const inputs = INPUTS[typeOf(urn)];
  if (inputs === undefined) throw new Error(`the stand-in of the tests has no ${typeOf(urn)}, only ${Object.keys(INPUTS).join(", ")}`);
  return inputs;
}

/** Properties without wrappers, and without those that have no value. */
function opened<T>(values: Values): T {
  return Object.fromEntries(Object.entries(unwrap(values) as Values).filter(([, value]) => (value ?? undefined) !== undefined)) as T;
}

/** Whatever was a secret inside is one by what it is in. */
const plainly = (value: unknown): unknown => (isSecret(value) ? plainly((value as { value: unknown }).value) : value);

/** A null is a value that is not given. */
function withDefaults(connection: unknown): unknown {
  if (!isRecord(connection)) return connection;
  const given = Object.fromEntries(Object.entries(connection).filter(([, value]) => (value ?? undefined) !== undefined));
  const proxy = plainly(given["proxy"]);
  return { ...DEFAULTS, ...given, ...(isRecord(proxy) ? { proxy: withDefaults(proxy) } : {}) };
}

function sourceFailures(source: unknown): provider.CheckFailure[] {
  if (source === UNKNOWN || source === undefined) return [];
  const { path, text, [SIGNATURE]: kind } = (isRecord(source) ? source : {}) as Source & Record<string, unknown>;
  if (kind === ASSET && path === undefined && text === undefined)
    return [{ property: "asset", reason: "asset must be a path-based file asset or a text asset" }];
  if (kind === ARCHIVE && path === undefined) return [{ property: "archive", reason: "archive must be a path to a file or directory" }];
  return kind === ASSET || kind === ARCHIVE ? [] : [{ property: "asset", reason: "either asset or archive must be set" }];
}

/** As the engine compares: files by what they contain, no value as none. */
function compared(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(compared);
  if (!isRecord(value)) return value ?? undefined;
  const kind = value[SIGNATURE];
  if ((kind === ASSET || kind === ARCHIVE) && typeof value["hash"] === "string" && value["hash"] !== "")
    return { kind, hash: value["hash"] };
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, compared(inner)]));
}
