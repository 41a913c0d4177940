/** Why a server cannot be started. */

/** The server cannot be started as asked. `log` holds the end of its own log. */
export class ServerStartError extends Error {
  readonly log: string;
  constructor(message: string, log = "") {
    super(log ? `${message}\n${log}` : message);
    this.name = "ServerStartError";
    this.log = log;
  }
}

/** The port is taken by another program, or the server already runs on another one. */
export class ServerPortError extends Error {
  readonly port: number;
  constructor(message: string, port: number) {
    super(message);
    this.name = "ServerPortError";
    this.port = port;
  }
}
