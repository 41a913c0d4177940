import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterEach, expect, test } from "vitest";
import { holdBlock, takeFreePorts } from "../../drill/ports.ts";
import { isPortFree } from "../../processes/ports.ts";

const MODULE = join(import.meta.dirname, "..", "..", "drill", "ports.ts");
const takers: ChildProcess[] = [];

afterEach(() => {
  for (const taker of takers.splice(0)) taker.kill("SIGKILL");
});

/** Another process that takes ports and lives on, listening on none of them. */
async function otherTakes(count: number): Promise<number[]> {
  const text = `import { takeFreePorts } from ${JSON.stringify(MODULE)};
    console.log(JSON.stringify(await takeFreePorts(${count})));
    setInterval(() => {}, 60_000);`;
  const taker = spawn(process.execPath, ["--input-type=module", "--eval", text], { stdio: ["ignore", "pipe", "inherit"] });
  takers.push(taker);
  const [line] = (await once(createInterface(taker.stdout), "line")) as [string];
  return JSON.parse(line) as number[];
}

test("processes that ask at the same time are never given the same port, although none listens yet", async () => {
  const taken = await Promise.all([otherTakes(300), otherTakes(300), otherTakes(300), takeFreePorts(300)]);
  expect(new Set(taken.flat()).size).toBe(1_200);
});

test("a process is given a port once", async () => {
  const calls = await Promise.all(Array.from({ length: 40 }, () => takeFreePorts(5)));
  expect(new Set(calls.flat()).size).toBe(200);
});

test("a process that dies leaves its ports to others", async () => {
  const [port = 0] = await otherTakes(1);
  expect(await isPortFree(port - 1)).toBe(false);
  const taker = takers[0]!;
  taker.kill("SIGKILL");
  await once(taker, "exit");
  expect(await isPortFree(port - 1)).toBe(true);
});

test("a block somebody listens in is left alone", async () => {
  const [port = 0] = await otherTakes(1);
  const kept = createServer().listen(port + 4, "127.0.0.1");
  await once(kept, "listening");
  const taker = takers[0]!;
  taker.kill("SIGKILL");
  await once(taker, "exit");
  const block = Array.from({ length: 32 }, (_, index) => port - 1 + index);
  const given = await holdBlock((port - 1 - 18_000) / 32);
  expect(given).toHaveLength(31);
  expect(given.filter((each) => block.includes(each))).toEqual([]);
  kept.close();
});
