import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { freePortNow, holderOf, isPublic } from "../../processes/ports.ts";

// As Linux writes them: address and port, state 0A for one that listens, inode.
const line = (address: string, state = "0A"): string =>
  `   0: ${address}:4650 00000000:0000 ${state} 00000000:00000000 00:00000000 00000000  1000        0 4711 1 0000000000000000 100 0 0 10 0\n`;

test.each([
  ["every address", line("00000000"), true],
  ["every IPv6 address", line("0".repeat(32)), true],
  ["an address of the network", line("0200000A"), true],
  ["127.0.0.1", line("0100007F"), false],
  ["::1", line(`${"0".repeat(24)}01000000`), false],
  ["127.0.0.1 as IPv6", line("0000000000000000FFFF00000100007F"), false],
  ["a connection, not a listener", line("00000000", "01"), false],
  ["another port", line("00000000").replace(":4650", ":4651"), false],
])("other machines reach what listens on %s: %#", (_where, text, reached) => {
  const folder = mkdtempSync(join(tmpdir(), "backout-ports-"));
  writeFileSync(join(folder, "tcp"), text);
  expect(isPublic(0x4650, [join(folder, "tcp"), join(folder, "absent")])).toBe(reached);
  rmSync(folder, { recursive: true });
});

test("a listener of this process is found, and other machines do not reach it", async () => {
  const port = await freePortNow();
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  expect([holderOf(port), isPublic(port)]).toEqual([process.pid, false]);
  await new Promise((resolve) => server.close(resolve));
});
