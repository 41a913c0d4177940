/**
 * Messages to the engine, shown beside the resource: `console` and `pulumi.log` of a provider are shown nowhere. A warning sent from `check`
 * stands in the preview.
 */
import { createRequire } from "node:module";
import * as grpc from "@grpc/grpc-js";
import type { Log } from "../config/run.ts";
import { inFlight } from "./lifetime.ts";

const require = createRequire(import.meta.url);

/** An engine that does not take a line in this time is gone. */
const SEND_LIMIT_MS = 5_000;

interface LogRequest {
  setSeverity(severity: number): void;
  setMessage(message: string): void;
  setUrn(urn: string): void;
}
interface EngineModule {
  EngineClient: new (
    address: string,
    credentials: grpc.ChannelCredentials,
  ) => { log(request: LogRequest, options: { deadline: number }, done: (error: Error | null) => void): void };
}
interface LogModule {
  LogRequest: new () => LogRequest;
  LogSeverity: Record<"DEBUG" | "INFO" | "WARNING" | "ERROR", number>;
}

const SEVERITIES = { debug: "DEBUG", info: "INFO", warning: "WARNING", error: "ERROR" } as const;

/** @param address where the engine listens; a provider is given it as its first argument. */
export function engineLog(address: string | undefined): (urn: string) => Log {
  if (address === undefined) return () => () => undefined;
  const engine = require("@pulumi/pulumi/proto/engine_grpc_pb.js") as EngineModule;
  const messages = require("@pulumi/pulumi/proto/engine_pb.js") as LogModule;
  const client = new engine.EngineClient(address, grpc.credentials.createInsecure());
  // One after another, so that lines stand in the order they were said.
  let last = Promise.resolve();
  return (urn) => (severity, message) => {
    const request = new messages.LogRequest();
    request.setSeverity(messages.LogSeverity[SEVERITIES[severity]]);
    request.setMessage(message);
    request.setUrn(urn);
    const send = (): Promise<void> =>
      new Promise((resolve) => client.log(request, { deadline: Date.now() + SEND_LIMIT_MS }, () => resolve()));
    // In flight until it is said: the provider does not end before a warning is sent.
    last = inFlight(() => last.then(send));
  };
}
