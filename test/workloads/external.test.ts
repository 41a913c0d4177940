/** Services that a control drives: what it does is believed only where it is observed. */
import { once } from "node:events";
import { existsSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { takeFreePorts } from "../../drill/ports.ts";
import { NeverHealthyError } from "../../processes/process.ts";
import type { ServiceControl } from "../../config/system/control.ts";
import { commandControl, ControlCommandError } from "../../workloads/command-control.ts";
import { ControlError, ExternalTarget } from "../../workloads/external.ts";
import { targetOf } from "../../workloads/index.ts";
import { newFolder, newSite, pinOf, shop } from "./shop.ts";

const pin = pinOf("v1", undefined);
const target = async (control?: ServiceControl) =>
  new ExternalTarget(
    await newSite(),
    shop({ kind: "external", stopGraceMs: 150, health: { tcp: true, timeoutMs: 300 }, ...(control === undefined ? {} : { control }) }),
  );
const nothing = (): Promise<void> => Promise.resolve();

describe("a service that its control drives", () => {
  it("has not stopped while it is seen to run", async () => {
    const api = await target({ stop: nothing, start: nothing, observe: () => Promise.resolve({ running: true }) });
    await expect(api.stop("api")).rejects.toThrow(ControlError);
    await expect(api.confirmStopped(["api"])).rejects.toThrow(/api still runs/);
  });

  it("fails where the control needs longer than the grace to stop it", async () => {
    const api = await target({ stop: () => new Promise(() => undefined), start: nothing });
    await expect(api.stop("api")).rejects.toThrow(/more than 150 ms to stop it/);
  });

  it("is not started while nothing, or another release, is seen to run", async () => {
    const seen = (running: boolean, release: string) => ({
      stop: nothing,
      start: nothing,
      observe: () => Promise.resolve({ running, release }),
    });
    await expect((await target(seen(false, "v1"))).start("api", pin)).rejects.toThrow(/does not run/);
    await expect((await target(seen(true, "v0"))).start("api", pin)).rejects.toThrow(/runs v0, not v1/);
  });

  it("is stopped and started once: what is so already is left alone", async () => {
    let running = true;
    const calls: string[] = [];
    const turn = (what: string, to: boolean) => (): Promise<void> => {
      calls.push(what);
      running = to;
      return Promise.resolve();
    };
    const definition = shop({
      kind: "external",
      control: { stop: turn("stop", false), start: turn("start", true), observe: () => Promise.resolve({ running }) },
    });
    delete definition.services["api"]!.health;
    const api = targetOf(await newSite({ target: "process" }), definition);
    expect([await api.stop("api"), await api.stop("api")]).toEqual(["stopped", "already stopped"]);
    expect([await api.start("api", pin), await api.start("api", pin)]).toEqual(["started", "runs"]);
    expect(calls).toEqual(["stop", "start"]);
    expect(await api.observe("worker")).toMatchObject({ running: false });
  });

  it("is asked at the port that its control sees, which every start may choose", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const nobody = await takeFreePorts(1);
    const seen = { port: nobody[0]! };
    const api = await target({ stop: nothing, start: nothing, observe: () => Promise.resolve({ running: true, ...seen }) });
    await expect(api.start("api", pin)).rejects.toThrow(NeverHealthyError);
    expect((await api.askHealth("api"))?.healthy).toBe(false);
    seen.port = port;
    expect(await api.start("api", pin)).toBe("runs");
    expect(await api.observe("api")).toMatchObject({ running: true, port });
    server.close();
  });

  it("without a control keeps running, and says that only the closed data keeps it from writing", async () => {
    const api = await target();
    expect(await api.stop("api")).toMatch(/keeps running and cannot reach the data/);
    await api.confirmStopped(["api"]);
  });
});

describe("a control made of commands", () => {
  it("stops and starts with the facts in the environment, and reads the exit code of its status", async () => {
    const mark = join(newFolder(), "runs");
    const control = commandControl({
      stop: ["rm", "-f", mark],
      start: ["sh", "-c", `printf %s "$BACKOUT_SERVICE $BACKOUT_RELEASE $PORT" > ${mark}`],
      status: ["test", "-e", mark],
    });
    const definition = shop({ kind: "external", control });
    delete definition.services["api"]!.health;
    const api = new ExternalTarget(await newSite({ target: "process", ports: { api: 4711 } }), definition);
    expect(await api.start("api", pin)).toBe("started");
    expect((await api.observe("api")).running).toBe(true);
    expect(await api.stop("api")).toBe("stopped");
    expect(existsSync(mark)).toBe(false);
    writeFileSync(mark, "");
    expect((await api.observe("api")).running).toBe(true);
    rmSync(mark);
  });

  it("tells the command that failed with its output, and one that is not there is no service that does not run", async () => {
    const failing = new ExternalTarget(
      await newSite(),
      shop({ kind: "external", control: commandControl({ stop: ["sh", "-c", "echo no unit >&2; exit 5"], start: ["true"] }) }),
    );
    await expect(failing.stop("api")).rejects.toThrow(/`sh -c echo no unit.*` failed: no unit/);
    const absent = new ExternalTarget(
      await newSite(),
      shop({ kind: "external", control: commandControl({ stop: ["true"], start: ["true"], status: ["no-such-supervisor"] }) }),
    );
    await expect(absent.observe("api")).rejects.toThrow(ControlCommandError);
  });
});
