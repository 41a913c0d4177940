/** A port that somebody has for a moment more, and where nobody listens whom one could name: a connection that goes out, threads of a process that ends. */
import { beforeEach, expect, test, vi } from "vitest";
import * as ports from "../../processes/ports.ts";
import { PortTakenError, startProcess } from "../../processes/process.ts";
import { newFolder, program } from "./machine.ts";

// The system gives such ports to others meanwhile, so that a real one cannot be counted on.
vi.mock("../../processes/ports.ts", { spy: true });

const IDLE = "setInterval(() => {}, 1000)";
const isPortFree = vi.mocked(ports.isPortFree);
const holderOf = vi.mocked(ports.holderOf).mockReturnValue(null);
beforeEach(() => void isPortFree.mockReset());

test("is waited for", async () => {
  const folder = newFolder();
  isPortFree.mockResolvedValueOnce(false).mockResolvedValueOnce(false).mockResolvedValue(true);
  expect((await startProcess(folder, program(folder, IDLE, { port: 1 }))).state).toBe("started");
  expect(isPortFree).toHaveBeenCalledTimes(3);
});

test("is not waited for without end, nor where somebody is named", async () => {
  const folder = newFolder();
  isPortFree.mockResolvedValue(false);
  const refused = startProcess(folder, program(folder, IDLE, { port: 1 }));
  await expect(refused).rejects.toThrow(PortTakenError);
  await expect(refused).rejects.toMatchObject({ port: 1, holder: null });
  isPortFree.mockClear();
  holderOf.mockReturnValueOnce(4711);
  await expect(startProcess(folder, program(folder, IDLE, { port: 1 }))).rejects.toMatchObject({ holder: 4711 });
  expect(isPortFree).toHaveBeenCalledTimes(1);
});
