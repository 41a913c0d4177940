/** Ports for tests: none of those from which the kernel takes one for an outgoing connection, which would keep a service from starting again. */
import { takeFreePorts } from "../../drill/ports.ts";

export async function freePort(): Promise<number> {
  return (await takeFreePorts(1))[0]!;
}
