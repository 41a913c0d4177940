/** What a service's own `run` function is called with. */
import type * as pulumi from "./pulumi.ts";

/** The pinned facts of one service, and what its resource needs to stand between backout's two ends. */
export interface RunFacts {
  /** Name of the service in the program. */
  service: string;
  /** Name of the system. */
  system: string;
  /** Name of the stack. */
  stack: string;
  /** Pinned release, e.g. `v3.0.0`. */
  release: string;
  /** Its image by digest, if the ledger names one. */
  image?: string;
  /** Absolute path of its release folder, if the ledger names one. */
  path?: string;
  /** Git commit it was built from, if the ledger names one. */
  commit?: string;
  /** Its configuration: the ledger's with the stack's overrides. */
  config: Record<string, string>;
  /** Port that the gate, or its users, reach it at on this machine; 0: none is declared. */
  port: number;
  /** Environment: the definition's, a secret as a whole. */
  env: pulumi.Output<Record<string, string>>;
  /** Labels by which a control finds every instance: `backout.system`, `backout.stack`, `backout.service`, `backout.release`. */
  labels: Record<string, string>;
  /** Number of the rollout: an input of it restarts the resource at each rollout. */
  epoch: pulumi.Output<number>;
  /** Options that put the resource after the data and below the system. */
  opts: pulumi.CustomResourceOptions;
}
