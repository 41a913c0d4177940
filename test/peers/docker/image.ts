/** `docker:index/remoteImage:RemoteImage` */
import type { Values } from "../../../provider/resource.ts";
import { ask, find, unlessGone } from "./daemon.ts";
import type { Kind, Made } from "./kind.ts";
import type { Rules } from "./rules.ts";

interface Found {
  Id: string;
  RepoDigests: string[] | null;
}

const at = (name: string): string => `/images/${name.split("/").map(encodeURIComponent).join("/")}`;
const inspect = (name: string): Promise<Found | null> => find<Found>(`${at(name)}/json`);

/** Names as `docker pull` takes them. */
function partsOf(name: string): { fromImage: string; tag: string } {
  const digest = name.indexOf("@");
  if (digest !== -1) return { fromImage: name.slice(0, digest).replace(/:[^/:]*$/, ""), tag: name.slice(digest + 1) };
  const [, fromImage = name, tag = "latest"] = /^(.*):([^/:]*)$/.exec(name) ?? [];
  return { fromImage, tag };
}

/**
 * The image that is here, else the one of a registry.
 * @throws Error where neither is to be had.
 */
export async function findOrPull(name: string, platform?: string): Promise<Found> {
  if (name === "") throw new Error("empty image name is not allowed");
  const here = await inspect(name);
  if (here !== null) return here;
  if (/^sha256:[0-9a-f]{64}$/.test(name)) throw new Error(`unable to pull image ${name}: it is an id, which no registry knows`);
  try {
    const said = await ask<{ error?: string } | { error?: string }[]>("POST", "/images/create", { query: { ...partsOf(name), platform } });
    // Docker begins to answer before it knows how that ends.
    const failed = [said].flat().find((line) => line?.error !== undefined);
    if (failed !== undefined) throw new Error(failed.error);
  } catch (error) {
    throw new Error(`unable to pull image ${name}: ${(error as Error).message}`, { cause: error });
  }
  const pulled = await inspect(name);
  if (pulled === null) throw new Error(`unable to find or pull image ${name}`);
  return pulled;
}

/** Of several registries' digests the one of the name. */
function digestOf(name: string, digests: string[]): string {
  const repository = name.split(":")[0]!;
  return (digests.length > 1 ? digests.find((digest) => digest.startsWith(repository)) : undefined) ?? digests[0] ?? "";
}

const madeOf = ({ Id, RepoDigests }: Found, values: Values): Made => ({
  id: Id + String(values["name"]),
  outs: { ...values, imageId: Id, repoDigest: digestOf(String(values["name"]), RepoDigests ?? []) },
});

const RULES: Rules = {
  name: { replaces: true, required: true },
  platform: { replaces: true },
  pullTriggers: { replaces: true, set: true },
  triggers: { replaces: true },
  keepLocally: {},
  forceRemove: {},
};

export const IMAGE: Kind = {
  rules: RULES,
  create: async (inputs) => madeOf(await findOrPull(String(inputs["name"]), inputs["platform"] as string | undefined), inputs),
  read: async (_id, outs) => {
    const found = await inspect(String(outs["name"]));
    return found === null ? null : madeOf(found, outs);
  },
  update: async (_id, _olds, inputs) => madeOf(await findOrPull(String(inputs["name"])), inputs).outs,
  delete: async (_id, outs) => {
    if (outs["keepLocally"] === true) return;
    await unlessGone(ask("DELETE", at(String(outs["name"])), { query: { force: outs["forceRemove"] === true } }));
  },
};
