/** The artefact store: a place by url for what would otherwise lie in the home of one machine alone. */
import type { Readable } from "node:stream";
import { RefusedError } from "../../config/errors.ts";

/** What was sent: read once, so this is what the store has. */
export interface Sent {
  sizeBytes: number;
  sha256: string;
}

export interface ArtefactStore {
  /** Its url as it is shown and recorded. */
  readonly name: string;
  /** @throws StoreError where it does not answer, is not there, or refuses the key */
  check(): Promise<void>;
  /** Sends a file; it is there as a whole, or not at all. Memory does not grow with its size. @throws StoreError */
  put(key: string, file: string): Promise<Sent>;
  putText(key: string, text: string): Promise<void>;
  /** @throws StoreObjectMissingError, StoreError; the stream fails where it is cut off */
  get(key: string): Promise<Readable>;
  /** Bytes; null: it is not there. */
  sizeOf(key: string): Promise<number | null>;
  /** Keys that begin so, in order. */
  list(prefix: string): Promise<string[]>;
  /** One that is not there is removed already. */
  remove(key: string): Promise<void>;
}

/** The store does not do what it was asked. `backout:store` names it, the message says what to do. */
export class StoreError extends RefusedError {
  readonly store: string;
  constructor(store: string, problem: string, options?: ErrorOptions) {
    super(`backout:store "${store}": ${problem}`);
    this.name = "StoreError";
    this.store = store;
    if (options !== undefined) this.cause = options.cause;
  }
}

/** Nothing is stored under the key. */
export class StoreObjectMissingError extends StoreError {
  readonly key: string;
  constructor(store: string, key: string) {
    super(store, `${key} is not there`);
    this.name = "StoreObjectMissingError";
    this.key = key;
  }
}

/** What goes on without a store that fails. */
export const WITHOUT = "or remove backout:store: then everything stays in the home of this machine";
