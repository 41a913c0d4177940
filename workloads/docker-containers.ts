/** The containers of a service, from Docker. */
import { z } from "zod";
import { docker, isAbsent } from "./docker-cli.ts";
import { inspectArguments, listArguments } from "./docker-commands.ts";

export interface Container {
  id: string;
  name: string;
  /** The requested image. */
  image: string;
  imageId: string;
  labels: Record<string, string>;
  /** Also true while Docker is about to restart it. */
  running: boolean;
  pid: number | null;
  exitCode: number;
  /** RFC 3339. */
  createdAt: string;
  /** Time of its last start, RFC 3339. */
  startedAt: string;
  /** Number of automatic restarts by the daemon. */
  restarts: number;
}

const inspected = z.array(
  z.object({
    Id: z.string(),
    Name: z.string(),
    Image: z.string(),
    Created: z.string(),
    RestartCount: z.number().default(0),
    Config: z.object({ Image: z.string(), Labels: z.record(z.string(), z.string()).nullish() }),
    State: z.object({
      Running: z.boolean(),
      Restarting: z.boolean().default(false),
      Pid: z.number(),
      ExitCode: z.number(),
      StartedAt: z.string().optional(),
    }),
  }),
);

export function parseContainers(text: string): Container[] {
  return inspected.parse(JSON.parse(text)).map(({ Id, Name, Image, Created, RestartCount, Config, State }) => ({
    id: Id,
    name: Name.replace(/^\//, ""),
    image: Config.Image,
    imageId: Image,
    labels: Config.Labels ?? {},
    running: State.Running || State.Restarting,
    pid: State.Pid > 0 ? State.Pid : null,
    exitCode: State.ExitCode,
    createdAt: Created,
    startedAt: State.StartedAt ?? Created,
    restarts: RestartCount,
  }));
}

/** All containers of a service by label, newest first: a renamed one that runs can write too. */
export async function containersOf(stack: string, service: string): Promise<Container[]> {
  const ids = (await docker(listArguments(stack, service))).split("\n").filter((id) => id !== "");
  if (ids.length === 0) return [];
  return parseContainers(await docker(inspectArguments(...ids))).sort((a, b) => (a.createdAt < b.createdAt ? 1 : -1));
}

export async function containerNamed(name: string): Promise<Container | null> {
  try {
    return parseContainers(await docker(inspectArguments(name)))[0] ?? null;
  } catch (error) {
    if (isAbsent(error)) return null;
    throw error;
  }
}

/** Whether a container was created from exactly this image: a tag may have moved, a digest cannot. */
export function isMadeOf(container: Container, image: string): boolean {
  const digest = digestOf(image);
  return digest !== null && (digestOf(container.image) === digest || container.imageId === digest);
}

export function digestOf(image: string): string | null {
  return /(?:^|@)(sha256:[0-9a-f]{64})$/.exec(image)?.[1] ?? null;
}
