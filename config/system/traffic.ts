/** How users' requests reach a system, and how they are kept out during a rollout. */

/** Files in PEM, relative to the definition's folder (in the stack file: to the project). The gate reads them again when they change. */
export interface TlsFiles {
  /** The certificate, with those between it and its root. */
  certificate: string;
  /** The private key of the certificate. */
  key: string;
}

/** backout's own proxy, the gate. */
export interface GateTraffic {
  /**
   * Public address besides `127.0.0.1:<backout:ports>`, which stays for checks: `0.0.0.0:8080`. Of several listeners: by service.
   * @default none
   */
  listen?: string | Record<string, string>;
  /** The public addresses speak HTTPS. */
  tls?: TlsFiles;
}

/**
 * An array: a command, run in the definition's folder, with exit code 0 when it is done. A text: a url, asked by POST with a JSON body, which answers
 * with a 2xx status when it is done.
 */
export type TrafficAction = string[] | string;

/** nginx, HAProxy or any balancer: backout tells it to keep users out and to let them in. Each can be done again and then changes nothing. */
export interface SwitchedTraffic {
  /** Lets users in; after verification. */
  open: TrafficAction;
  /** Keeps users out and lets the requests under way finish; before anything stops. */
  close: TrafficAction;
  /**
   * Whether users are let in: a command with exit code 0 (in) or 1 (out); a url asked by GET with status 2xx (in) or 503 (out). Asked after each switch
   * until it agrees three times in a row, and by previews.
   */
  check?: TrafficAction;
  /** Limit of each. @default 30 */
  timeoutSeconds?: number;
}

/** `none`: users reach the services directly, and only the data is fenced. */
export type TrafficDefinition = GateTraffic | SwitchedTraffic | "none";
