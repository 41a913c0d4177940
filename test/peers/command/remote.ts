/** `command:remote:Command`: a command on a host. */
import type { Client, ClientChannel } from "ssh2";
import { dial, type Connection } from "./connection.ts";
import { previousOutput } from "./local.ts";
import type { Messages } from "./messages.ts";
import { collect, type Logging, type Output } from "./output.ts";

export interface RemoteInputs {
  connection: Connection;
  create?: string;
  update?: string;
  delete?: string;
  stdin?: string;
  environment?: Record<string, string>;
  logging?: Logging;
  addPreviousOutputInEnv?: boolean;
}

/** @param previous what the last create or update said */
export async function runRemotely(
  command: string,
  inputs: RemoteInputs,
  previous: Output,
  messages: Messages,
  signal: AbortSignal,
): Promise<Output> {
  const client = await dial(inputs.connection, messages, signal);
  try {
    const own = inputs.environment ?? {};
    const refused = (name: string): Error | null => {
      const told =
        `Unable to set '${name}'. This only works if your SSH server is configured to accept these variables via AcceptEnv. ` +
        "Alternatively, if a Bash-like shell runs the command on the remote host, you could prefix the command itself with the variables in the form 'VAR=value command'";
      if (name in own) messages.fail(told);
      else messages.warn(told);
      return name in own ? new Error(`could not set environment variable ${JSON.stringify(name)}: ssh: setenv failed`) : null;
    };
    const environment = { ...own, ...previousOutput(inputs.addPreviousOutputInEnv, previous) };
    const { output, ended } = await start(client, command, environment, refused, (channel) => {
      channel.end(inputs.stdin ?? "");
      return { output: collect(channel, channel.stderr, inputs.logging, messages), ended: endOf(channel) };
    });
    try {
      const how = await ended;
      if (how !== null) throw output.failed(how, command);
      return output.kept();
    } finally {
      output.end();
    }
  } finally {
    client.end();
  }
}

function endOf(channel: ClientChannel): Promise<string | null> {
  return new Promise((resolve) => {
    let how: string | null = "wait: remote command exited without exit status or exit signal";
    channel.once("exit", (code: number | null, signal?: string) => {
      how = signal === undefined ? (code === 0 ? null : `Process exited with status ${code}`) : `Process exited with signal ${signal}`;
    });
    channel.once("close", () => resolve(how));
  });
}

/** What the package has no public way to: each variable's answer, before the command starts. */
interface Inside {
  _protocol: {
    env(channel: number, name: string, value: string, wantReply: boolean): void;
    exec(channel: number, command: string, wantReply: boolean): void;
  };
  _chanMgr: { _channels: Record<string, { outgoing: { id: number }; _callbacks: ((failed: boolean | Error) => void)[] }> };
}

/**
 * @param refused what happens where the host does not take a variable: the error for which the command does not start, or null
 * @param begun hears of the channel before it says anything
 */
function start<T>(
  client: Client,
  command: string,
  environment: Record<string, string>,
  refused: (name: string) => Error | null,
  begun: (channel: ClientChannel) => T,
): Promise<T> {
  const { _protocol: protocol, _chanMgr: channels } = client as unknown as Inside;
  const [env, exec] = [protocol.env.bind(protocol), protocol.exec.bind(protocol)];
  const callbacksOf = (id: number) => Object.values(channels._channels).find(({ outgoing }) => outgoing?.id === id)!._callbacks;
  const answers: Promise<void>[] = [];
  protocol.env = (id, name, value) => {
    answers.push(
      new Promise((resolve, reject) => {
        callbacksOf(id).push((failed) => {
          const error = failed === false ? null : refused(name);
          if (error === null) resolve();
          else reject(error);
        });
      }),
    );
    env(id, name, value, true);
  };
  protocol.exec = (id, ...rest) =>
    void Promise.all(answers).then(
      () => exec(id, ...rest),
      (error: Error) => callbacksOf(id).pop()?.(error),
    );
  return new Promise((resolve, reject) =>
    client.exec(command, { env: environment }, (error, channel) => (error === undefined ? resolve(begun(channel)) : reject(error))),
  );
}
