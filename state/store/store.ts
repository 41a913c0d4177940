/** The artefact store: a place by url for what would otherwise lie in the home of one machine alone. */
import type { Readable } from "node:stream";
import { commandOf } from "../../config/commands.ts";
import { RefusedError } from "../../config/errors.ts";
import { storeName, storePlace } from "../../config/store.ts";
import type { Site } from "../../config/site.ts";

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

/** The stack's store; null: it has none. @throws StoreError where no key for it is found */
export async function openStore(site: Pick<Site, "store" | "storeKey" | "project">): Promise<ArtefactStore | null> {
  if (site.store === undefined) return null;
  const place = storePlace(site.store);
  if (place.kind === "file") return (await import("./file-store.ts")).fileStore(place);
  const { credentials } = await import("./credentials.ts");
  const found = credentials(site.storeKey);
  if (found === null)
    throw new StoreError(
      storeName(place),
      "no access key: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE; or, for everybody who works on the stack, " +
        `\`${commandOf(site.project, "pulumi", "config set --secret --path backout:storeKey.accessKeyId")}\`, and the same for secretAccessKey`,
    );
  return (await import("./s3-store.ts")).s3Store(place, found);
}
