/** Messages of the stand-in to the engine, shown beside the resource. */
import { createRequire } from "node:module";
import * as grpc from "@grpc/grpc-js";

const require = createRequire(import.meta.url);
const SEND_LIMIT_MS = 5_000;

/** What a resource says: lines of its commands, which the engine shows while it works and then forgets, and what it shows at the end, too. */
export interface Messages {
  line(text: string): void;
  warn(text: string): void;
  fail(text: string): void;
}

interface LogRequest {
  setSeverity(severity: number): void;
  setMessage(message: string): void;
  setUrn(urn: string): void;
  setEphemeral(ephemeral: boolean): void;
}
interface EngineModule {
  EngineClient: new (
    address: string,
    credentials: grpc.ChannelCredentials,
  ) => { log(request: LogRequest, options: { deadline: number }, done: (error: Error | null) => void): void };
}
interface LogModule {
  LogRequest: new () => LogRequest;
  LogSeverity: Record<"INFO" | "WARNING" | "ERROR", number>;
}

export function messagesTo(address: string | undefined): (urn: string) => Messages {
  if (address === undefined) return () => ({ line: () => undefined, warn: () => undefined, fail: () => undefined });
  const { EngineClient } = require("@pulumi/pulumi/proto/engine_grpc_pb.js") as EngineModule;
  const { LogRequest, LogSeverity } = require("@pulumi/pulumi/proto/engine_pb.js") as LogModule;
  const client = new EngineClient(address, grpc.credentials.createInsecure());
  // One after another, so that lines stand in the order they were said.
  let last = Promise.resolve();
  return (urn) => {
    const say = (severity: keyof LogModule["LogSeverity"], ephemeral: boolean) => (text: string) => {
      const request = new LogRequest();
      request.setSeverity(LogSeverity[severity]);
      request.setMessage(text);
      request.setUrn(urn);
      request.setEphemeral(ephemeral);
      last = last.then(() => new Promise((resolve) => client.log(request, { deadline: Date.now() + SEND_LIMIT_MS }, () => resolve())));
    };
    return { line: say("INFO", true), warn: say("WARNING", false), fail: say("ERROR", false) };
  };
}
