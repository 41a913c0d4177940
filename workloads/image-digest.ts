/** An image as a ledger holds it: by digest, so that exactly the released one runs. */
import { RefusedError, UsageError } from "../config/errors.ts";
import { docker, isAbsent } from "./docker-cli.ts";
import { digestsArguments } from "./docker-commands.ts";
import { DockerUnreachableError } from "./docker-errors.ts";

const BY_DIGEST = /^(?:[^\s@]+@)?sha256:[0-9a-f]{64}$/;

/** Whether a word can only be an image: it has a digest, or a tag. */
export function isImage(word: string): boolean {
  return BY_DIGEST.test(word) || /^[a-z0-9][\w./:-]*:[\w][\w.-]{0,127}$/i.test(word);
}

export interface ResolvedImage {
  /** `name@sha256:…`; of an image that only this machine has, `sha256:…`. */
  image: string;
  /** No registry has it. */
  onlyHere: boolean;
}

/**
 * The digest of an image that is named by tag, by what the local Docker daemon knows; pulls nothing.
 * @throws UsageError with what to run where it cannot be known
 */
export async function resolveImage(image: string): Promise<ResolvedImage> {
  if (BY_DIGEST.test(image)) return { image, onlyHere: !image.includes("@") };
  // It becomes an argument of a command.
  if (!isImage(image)) throw new UsageError(`"${image}" is not the name of an image with tag or digest; nothing was changed`);
  const [id, ...digests] = (await inspected(image)).split(/\s+/).filter(Boolean);
  if (id === undefined) throw new RefusedError(`Docker says nothing of ${image}: name it by digest; nothing was changed`);
  const repository = image.slice(0, image.lastIndexOf(":"));
  const digest = digests.find((one) => one.startsWith(`${repository}@`)) ?? digests[0];
  return digest === undefined ? { image: id, onlyHere: true } : { image: digest, onlyHere: false };
}

async function inspected(image: string): Promise<string> {
  try {
    return await docker(digestsArguments(image));
  } catch (error) {
    const name = image.slice(0, image.lastIndexOf(":"));
    if (isAbsent(error))
      throw new UsageError(`Docker on this machine does not have ${image}: run \`docker pull ${image}\` first; nothing was changed`);
    if (error instanceof DockerUnreachableError)
      throw new UsageError(
        `no Docker daemon answers, so the digest of ${image} is not known, and a tag can move. Look it up where the image is ` +
          `(\`docker buildx imagetools inspect ${image}\`, or \`crane digest ${image}\`) and name it as ${name}@sha256:…; nothing was changed`,
      );
    throw error;
  }
}
