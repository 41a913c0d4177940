/**
 * Ports for stacks that are made beside each other: several drills, end-to-end tests, a benchmark. A port is asked for before the stack
 * file is written and listened on seconds later, so "free now" is not enough. Each process holds blocks of its own, by listening on the
 * first port of each; the system ends a hold with the process, however that ends.
 */
import { createServer, type Server } from "node:net";
import { isPortFree } from "../processes/ports.ts";

/** Below the range that the kernel uses for outgoing connections, so none of these is taken by chance. */
const FIRST = 18_000;
const BLOCKS = 437;
const BLOCK_SIZE = 32;

/** Unused ports of the blocks that this process holds. */
const left: number[] = [];

/**
 * Free ports, all different, reserved as long as this process lives.
 * @throws Error if no block is free.
 */
export async function takeFreePorts(count: number): Promise<number[]> {
  const ports: number[] = [];
  while (ports.length < count) {
    const port = left.shift();
    if (port === undefined) left.push(...(await holdBlock(Math.floor(Math.random() * BLOCKS))));
    else if (await isPortFree(port)) ports.push(port);
  }
  return ports;
}

/**
 * The ports of a block that is now this process's. A block with a listener anywhere in it is left alone: it may be a stack's whose maker is
 * gone, with a service that does not run just now.
 * @param start Number of the block that is tried first.
 */
export async function holdBlock(start: number): Promise<number[]> {
  for (let index = 0; index < BLOCKS; index++) {
    const first = FIRST + ((start + index) % BLOCKS) * BLOCK_SIZE;
    const hold = await holdPort(first);
    if (hold === null) continue;
    const rest = Array.from({ length: BLOCK_SIZE - 1 }, (_, offset) => first + 1 + offset);
    if (await areFree(rest)) return rest;
    hold.close();
  }
  const last = FIRST + BLOCKS * BLOCK_SIZE - 1;
  throw new Error(
    `no ${BLOCK_SIZE} ports in a row are free between ${FIRST} and ${last}; end the processes that listen there (ss -ltnp), or remove kept drills`,
  );
}

async function areFree(ports: readonly number[]): Promise<boolean> {
  for (const port of ports) if (!(await isPortFree(port))) return false;
  return true;
}

/** Listens on the port without keeping this process alive; null: the port is taken. */
function holdPort(port: number): Promise<Server | null> {
  return new Promise((resolve, reject) => {
    const hold = createServer((socket) => socket.destroy());
    hold.once("error", (error: NodeJS.ErrnoException) => (error.code === "EADDRINUSE" ? resolve(null) : reject(error)));
    hold.listen({ port, host: "127.0.0.1", exclusive: true }, () => resolve(hold.unref()));
  });
}
