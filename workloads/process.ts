/** The `process` target: services as real processes on this machine, static services as published folders. */
import type { ServicePin } from "../config/pins.ts";
import { processFolder, type Site } from "../config/site.ts";
import { verifyArtefact, type Artefact } from "../processes/artefact.ts";
import {
  confirmStopped,
  errorLines,
  errorLogBytes,
  observeProcess,
  startProcess,
  stopProcess,
  waitProcessHealthy,
} from "../processes/process.ts";
import type { SystemDefinition } from "../config/system/definition.ts";
import { serviceOf, configHash, environmentOf, isSetUpAs, portOf, setupHash } from "./starting.ts";
import { folderOf, StaticTarget } from "./static.ts";
import type { Observation, Target } from "./target.ts";

export { ArtefactMissingError } from "./static.ts";

export class ProcessTarget implements Target {
  private readonly site: Site;
  private readonly definition: SystemDefinition;
  private readonly statics: StaticTarget;

  constructor(site: Site, definition: SystemDefinition) {
    this.site = site;
    this.definition = definition;
    this.statics = new StaticTarget(site);
  }

  async check(service: string, pin: ServicePin): Promise<void> {
    if (this.isStatic(service)) return this.statics.check(service, pin);
    await verifyArtefact(this.folder(service, pin));
  }

  async prepare(service: string, pin: ServicePin): Promise<void> {
    await this.check(service, pin);
  }

  async install(service: string, pin: ServicePin): Promise<string> {
    if (this.isStatic(service)) return this.statics.install(service, pin);
    await this.check(service, pin);
    return `${pin.release} in place`;
  }

  async stop(service: string): Promise<string> {
    if (this.isStatic(service)) return this.statics.stop();
    const { how } = await stopProcess(processFolder(this.site), service, serviceOf(this.definition, service).stopGraceMs);
    return how;
  }

  async confirmStopped(services: string[]): Promise<void> {
    confirmStopped(processFolder(this.site), services);
  }

  async start(service: string, pin: ServicePin): Promise<string> {
    if (this.isStatic(service)) return this.statics.start();
    const definition = serviceOf(this.definition, service);
    const observed = await this.observe(service);
    if (observed.running && !observed.asPinned(pin)) await this.stop(service);
    const port = portOf(this.site, service);
    const folder = processFolder(this.site);
    const { state } = await startProcess(folder, {
      name: service,
      folder: this.folder(service, pin).path,
      command: [process.execPath, "--disable-warning=ExperimentalWarning", definition.entry ?? "main.ts"],
      environment: { ...forNode(), ...environmentOf(this.site, this.definition, service, pin) },
      release: pin.release,
      configHash: configHash(this.site, service, pin),
      setupHash: setupHash(pin),
      port,
    });
    if (definition.health !== undefined) {
      const { path, body, timeoutMs } = definition.health;
      await waitProcessHealthy(folder, service, {
        url: `http://127.0.0.1:${port}${path}`,
        ...(body === undefined ? {} : { body }),
        timeoutMs,
      });
    }
    return state;
  }

  async observe(service: string): Promise<Observation> {
    if (this.isStatic(service)) return this.statics.observe(service);
    const { running, pid, release, configHash: hash, record } = observeProcess(processFolder(this.site), service);
    const asPinned = (pin: ServicePin): boolean =>
      release === pin.release && hash === configHash(this.site, service, pin) && isSetUpAs(pin, record?.setupHash);
    const identity = running ? `${record!.pid}/${record!.startTime}` : null;
    return { running, release, pid, identity, startedAtMs: running ? Date.parse(record!.startedAt) : null, asPinned };
  }

  async errorLog(service: string, lines: number, since?: number): Promise<string[]> {
    return this.isStatic(service) ? this.statics.errorLog() : errorLines(processFolder(this.site), service, lines, since);
  }

  async errorMark(service: string): Promise<number> {
    return this.isStatic(service) ? this.statics.errorMark() : errorLogBytes(processFolder(this.site), service);
  }

  private isStatic(service: string): boolean {
    return serviceOf(this.definition, service).kind === "static";
  }

  private folder(service: string, pin: ServicePin): Artefact {
    return folderOf(this.site, service, pin, "the process target runs a release folder");
  }
}

/** Variables for Node itself; with its compile cache a program starts in half the time. */
function forNode(): Record<string, string> {
  const { PATH = "", NODE_COMPILE_CACHE: compiled } = process.env;
  return { PATH, ...(compiled === undefined ? {} : { NODE_COMPILE_CACHE: compiled }) };
}
