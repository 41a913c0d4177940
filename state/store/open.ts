/** The store that a stack declares. What its kind needs is loaded when it is first opened. */
import { commandOf } from "../../config/commands.ts";
import type { Site } from "../../config/site.ts";
import { storeName, storePlace } from "../../config/store.ts";
import { StoreError, type ArtefactStore } from "./store.ts";

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
