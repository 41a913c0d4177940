/** The provider's real executable, an engine that listens to its log, and what the engine says to it. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { createInterface } from "node:readline";
import * as grpc from "@grpc/grpc-js";
import type { Site } from "../../config/site.ts";

const require = createRequire(import.meta.url);
export const REPOSITORY = join(import.meta.dirname, "..", "..");
export const EXECUTABLE = join(REPOSITORY, "provider", "pulumi-resource-backout");

const SIGNATURE = "4dabf18193072939515e22adb298388d";
const SECRET = "1b47061264138c4ac30d75fd1eb44270";
export const UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";
export const secret = (value: unknown): Record<string, unknown> => ({ [SIGNATURE]: SECRET, value });

export type Values = Record<string, unknown>;

interface Message {
  [method: string]: (value: never) => void;
}
type MessageOf = new () => Message;
interface Answer {
  getInputs(): Struct;
  getProperties(): Struct;
  getFailuresList(): { getProperty(): string; getReason(): string }[];
  getChanges(): number;
  getId(): string;
}
interface Struct {
  toJavaScript(): Values;
}

const provider = require("@pulumi/pulumi/proto/provider_pb.js") as Record<string, MessageOf>;
const statuses = require("@pulumi/pulumi/proto/status_pb.js") as {
  Status: { deserializeBinary(bytes: Uint8Array): { getDetailsList(): { getValue_asU8(): Uint8Array }[] } };
};
const initFailed = provider["ErrorResourceInitFailed"] as unknown as {
  deserializeBinary(bytes: Uint8Array): { getId(): string; getProperties(): Struct; getReasonsList(): string[] };
};
const empty = require("google-protobuf/google/protobuf/empty_pb.js") as { Empty: MessageOf };
const struct = require("google-protobuf/google/protobuf/struct_pb.js") as { Struct: { fromJavaScript(values: Values): Struct } };
const clients = require("@pulumi/pulumi/proto/provider_grpc_pb.js") as {
  ResourceProviderClient: new (address: string, credentials: grpc.ChannelCredentials) => Client;
};
interface Client {
  [method: string]: (request: Message, done: (error: Error | null, answer: Answer) => void) => void;
}
const engines = require("@pulumi/pulumi/proto/engine_grpc_pb.js") as { EngineService: grpc.ServiceDefinition };

export const urnOf = (type: string, name = type.toLowerCase()): string =>
  `urn:pulumi:test::backout::backout:index:System$backout:index:${type}::${name}`;

export interface LogLine {
  severity: number;
  urn: string;
  message: string;
}

export interface FakeEngine {
  address: string;
  lines: LogLine[];
  close(): void;
}

/** @param delayMs how long it takes to answer a line. */
export async function startEngine(delayMs = 0): Promise<FakeEngine> {
  const server = new grpc.Server();
  const lines: LogLine[] = [];
  type Request = { request: { getSeverity(): number; getUrn(): string; getMessage(): string } };
  server.addService(engines.EngineService, {
    log: ({ request }: Request, done: (error: null, answer: Message) => void) => {
      setTimeout(() => {
        lines.push({ severity: request.getSeverity(), urn: request.getUrn(), message: request.getMessage() });
        done(null, new empty.Empty());
      }, delayMs);
    },
  });
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    ),
  );
  return { address: `127.0.0.1:${port}`, lines, close: () => server.forceShutdown() };
}

export interface CheckAnswer {
  inputs: Values;
  failures: { property: string; reason: string }[];
}

export interface ProviderProcess {
  /** Of the provider itself, whoever started it. */
  pid: number;
  /** The process that started it, where that is not the test: to be killed. */
  parent: ChildProcess | null;
  child: ChildProcess;
  isAlive(): boolean;
  /** Resolves when the provider is gone. */
  gone(): Promise<void>;
  /** Exit code and signal, of one started by the test itself. */
  exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  check(urn: string, olds: Values, news: Values): Promise<CheckAnswer>;
  /** `DIFF_NONE` is 1, `DIFF_SOME` 2. */
  diff(urn: string, olds: Values, news: Values): Promise<number>;
  create(urn: string, inputs: Values): Promise<{ id: string; outs: Values }>;
  update(urn: string, olds: Values, news: Values): Promise<Values>;
  read(urn: string, id: string, props: Values): Promise<{ id: string; props: Values }>;
  delete(urn: string, props: Values): Promise<void>;
  cancel(): Promise<void>;
  kill(): Promise<void>;
}

export interface StartOptions {
  engine: FakeEngine;
  /** Start it through a process in between. */
  viaParent?: boolean;
  environment?: NodeJS.ProcessEnv;
}

const BETWEEN = `
const child = require("node:child_process").spawn(process.argv[1], process.argv.slice(2), { stdio: ["ignore", "inherit", "inherit"] });
process.stderr.write("pid " + child.pid + "\\n");
setInterval(() => {}, 1000);
`;

export async function startProvider({ engine, viaParent = false, environment = {} }: StartOptions): Promise<ProviderProcess> {
  const env = { ...process.env, ...environment };
  const child = viaParent
    ? spawn(process.execPath, ["-e", BETWEEN, EXECUTABLE, engine.address], { stdio: ["ignore", "pipe", "pipe"], env })
    : spawn(EXECUTABLE, [engine.address], { stdio: ["ignore", "pipe", "pipe"], env });
  const said: string[] = [];
  const pid = viaParent
    ? new Promise<number>((resolve) =>
        createInterface({ input: child.stderr }).on("line", (line) =>
          /^pid \d+$/.test(line) ? resolve(Number(line.slice(4))) : said.push(line),
        ),
      )
    : Promise.resolve(child.pid!);
  if (!viaParent) child.stderr.on("data", (text) => said.push(String(text)));
  const exited = once(child, "exit").then(([code, signal]) => ({ code: code as number | null, signal: signal as NodeJS.Signals | null }));
  const port = await Promise.race([
    once(createInterface({ input: child.stdout }), "line").then(([line]) => Number(line)),
    exited.then(({ code }) => Promise.reject(new Error(`the provider ended with ${code} before it listened: ${said.join("")}`))),
  ]);
  return conversation(await pid, port, child, viaParent, exited);
}

async function conversation(
  pid: number,
  port: number,
  child: ChildProcess,
  viaParent: boolean,
  exited: ProviderProcess["exited"],
): Promise<ProviderProcess> {
  const client = new clients.ResourceProviderClient(`127.0.0.1:${port}`, grpc.credentials.createInsecure());
  const call = (method: string, request: Message): Promise<Answer> =>
    new Promise((resolve, reject) => client[method]!(request, (error, answer) => (error === null ? resolve(answer) : reject(error))));
  const message = (type: MessageOf, fields: Record<string, unknown>): Message => {
    const made = new type();
    for (const [name, value] of Object.entries(fields))
      made[`set${name}`]!((typeof value === "object" ? struct.Struct.fromJavaScript(value as Values) : value) as never);
    return made;
  };
  const provide: ProviderProcess = {
    pid,
    parent: viaParent ? child : null,
    child,
    isAlive: () => isAlive(pid),
    exited,
    gone: async () => {
      while (isAlive(pid)) await new Promise((resolve) => setTimeout(resolve, 20));
    },
    check: async (urn, olds, news) => {
      const answer = await call("check", message(provider["CheckRequest"]!, { Urn: urn, Olds: olds, News: news }));
      return {
        inputs: answer.getInputs().toJavaScript(),
        failures: answer.getFailuresList().map((one) => ({ property: one.getProperty(), reason: one.getReason() })),
      };
    },
    diff: async (urn, olds, news) =>
      (await call("diff", message(provider["DiffRequest"]!, { Id: "id", Urn: urn, Olds: olds, News: news }))).getChanges(),
    create: async (urn, inputs) => {
      const answer = await call("create", message(provider["CreateRequest"]!, { Urn: urn, Properties: inputs }));
      return { id: answer.getId(), outs: answer.getProperties().toJavaScript() };
    },
    update: async (urn, olds, news) =>
      (await call("update", message(provider["UpdateRequest"]!, { Id: "id", Urn: urn, Olds: olds, News: news })))
        .getProperties()
        .toJavaScript(),
    read: async (urn, id, props) => {
      const answer = await call("read", message(provider["ReadRequest"]!, { Id: id, Urn: urn, Properties: props }));
      return { id: answer.getId(), props: answer.getProperties().toJavaScript() };
    },
    delete: async (urn, props) =>
      void (await call("delete", message(provider["DeleteRequest"]!, { Id: "id", Urn: urn, Properties: props }))),
    cancel: async () => void (await call("cancel", new empty.Empty())),
    kill: async () => {
      if (isAlive(pid)) process.kill(pid, "SIGKILL");
      if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
      await exited;
    },
  };
  return Promise.resolve(provide);
}

/** What the engine keeps of a resource that could not be made; null: it forgets it. */
export function keptOf(error: unknown): { id: string; properties: Values; reasons: string[] } | null {
  const [packed] = (error as grpc.ServiceError).metadata.get("grpc-status-details-bin");
  if (packed === undefined) return null;
  const details = statuses.Status.deserializeBinary(packed as Buffer).getDetailsList();
  const kept = initFailed.deserializeBinary(details[0]!.getValue_asU8());
  return { id: kept.getId(), properties: kept.getProperties().toJavaScript(), reasons: kept.getReasonsList() };
}

export function isAlive(pid: number): boolean {
  try {
    return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}

/** A site without a database server; nothing in it is made yet. */
export function siteAt(home: string, ports: number[], change: Partial<Site> = {}): Site {
  return {
    stack: "test",
    system: "pfa-vanguard",
    module: null,
    project: REPOSITORY,
    home,
    target: "process",
    server: { embedded: true, port: ports[4]!, driver: "template", databases: {} },
    files: {},
    ports: { backend: ports[0]!, frontend: ports[1]!, "backend-upstream": ports[2]!, worker: ports[3]! },
    ...change,
  };
}

/** A definition that loads only when it is let go: holds any operation that needs it. */
export function heldDefinition(folder: string): { module: string; reached: () => boolean; go: () => void } {
  mkdirSync(folder, { recursive: true });
  const file = (name: string): string => join(folder, name);
  writeFileSync(
    file("definition.ts"),
    `import { existsSync, writeFileSync } from "node:fs";
writeFileSync(${JSON.stringify(file("reached"))}, "");
while (!existsSync(${JSON.stringify(file("go"))})) await new Promise((resolve) => setTimeout(resolve, 20));
export { definition } from ${JSON.stringify(join(REPOSITORY, "systems", "pfa-vanguard", "definition.ts"))};
`,
  );
  return { module: file("definition.ts"), reached: () => existsSync(file("reached")), go: () => writeFileSync(file("go"), "") };
}

export async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 20));
}
