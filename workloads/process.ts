/** The `process` target: services as real processes on this machine, static services as published folders. */
import type { ServicePin } from "../config/pins.ts";
import { processFolder, type Site } from "../config/site.ts";
import { isAskedByPort, type HealthDefinition } from "../config/system/health.ts";
import type { SystemDefinition } from "../config/system/definition.ts";
import { verifyArtefact, type Artefact } from "../processes/artefact.ts";
import {
  BackgroundError,
  confirmStopped,
  errorLines,
  errorLogBytes,
  observeProcess,
  startProcess,
  stopProcess,
  waitProcessHealthy,
  type HealthAnswer,
} from "../processes/process.ts";
import { askService, runHere, type RunHealth } from "./health.ts";
import { makeCopy, repairCopy, type Tell } from "./release-copy.ts";
import { NotRunnableError, requireRunnable, runnableOf } from "./runnable.ts";
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
    // A service that is off is not started, so it needs no program.
    if (pin.run) requireRunnable(this.site, this.definition, service, pin);
  }

  async prepare(service: string, pin: ServicePin, tell: Tell = () => undefined): Promise<void> {
    await this.check(service, pin);
    if (this.isStatic(service) || !pin.run) return;
    const request = { ...this.copying(service, pin), tell };
    if ((await makeCopy(request)) === "not needed") return;
    try {
      runnableOf(this.site, this.definition, service, pin);
    } catch (error) {
      // A copy that was made before its source was corrected: permissions are no part of an artefact's hash.
      if (!(error instanceof NotRunnableError) || (await makeCopy({ ...request, anew: true })) !== "made") throw error;
      runnableOf(this.site, this.definition, service, pin);
    }
  }

  async install(service: string, pin: ServicePin): Promise<string> {
    if (this.isStatic(service)) return this.statics.install(service, pin);
    await this.check(service, pin);
    if (pin.run) await repairCopy(this.copying(service, pin));
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

  /** @throws as `prepare`; BackgroundError, NeverHealthyError, PortTakenError, StartError */
  async start(service: string, pin: ServicePin): Promise<string> {
    if (this.isStatic(service)) return this.statics.start();
    const observed = await this.observe(service);
    if (observed.running && !observed.asPinned(pin)) await this.stop(service);
    const port = portOf(this.site, service);
    const folder = processFolder(this.site);
    // Made when the rollout was prepared; it may be gone where a service is started again without one.
    await makeCopy(this.copying(service, pin));
    const { command, folder: working } = runnableOf(this.site, this.definition, service, pin);
    const { state } = await startProcess(folder, {
      name: service,
      folder: working,
      command,
      environment: this.environment(service, pin),
      release: pin.release,
      configHash: configHash(this.site, service, pin),
      setupHash: setupHash(pin),
      port: port === 0 ? null : port,
    });
    const { health } = serviceOf(this.definition, service);
    if (health === undefined) return state;
    const check = (): Promise<HealthAnswer> => this.ask(service, pin, health);
    const asked = isAskedByPort(health) ? { port } : {};
    await waitProcessHealthy(folder, service, { check, timeoutMs: health.timeoutMs, ...asked }).catch((error: unknown) => {
      const { running, left } = observeProcess(folder, service);
      throw !running && left.length > 0 ? new BackgroundError(service, left) : error;
    });
    return state;
  }

  async askHealth(service: string, pin: ServicePin): Promise<HealthAnswer | null> {
    const { health } = serviceOf(this.definition, service);
    return this.isStatic(service) || health === undefined ? null : this.ask(service, pin, health);
  }

  private async ask(service: string, pin: ServicePin, health: HealthDefinition): Promise<HealthAnswer> {
    const run: RunHealth = (command, timeoutMs) => {
      const { folder } = runnableOf(this.site, this.definition, service, pin);
      return runHere(folder, this.environment(service, pin))(command, timeoutMs);
    };
    return askService(health, portOf(this.site, service), run);
  }

  async observe(service: string): Promise<Observation> {
    if (this.isStatic(service)) return this.statics.observe(service);
    const { running, pid, release, configHash: hash, record, left } = observeProcess(processFolder(this.site), service);
    const asPinned = (pin: ServicePin): boolean =>
      release === pin.release && hash === configHash(this.site, service, pin) && isSetUpAs(pin, record?.setupHash);
    const identity = running ? `${record!.pid}/${record!.startTime}` : null;
    const startedAtMs = running ? Date.parse(record!.startedAt) : null;
    const note = left.length > 0 ? { note: new BackgroundError(service, left).message } : {};
    return { running, release, pid, identity, startedAtMs, asPinned, ...note };
  }

  async errorLog(service: string, lines: number, since?: number): Promise<string[]> {
    return this.isStatic(service) ? this.statics.errorLog() : errorLines(processFolder(this.site), service, lines, since);
  }

  async errorMark(service: string): Promise<number> {
    return this.isStatic(service) ? this.statics.errorMark() : errorLogBytes(processFolder(this.site), service);
  }

  private environment(service: string, pin: ServicePin): Record<string, string> {
    const forProgram = serviceOf(this.definition, service).command === undefined ? forNode() : {};
    return { ...forProgram, ...environmentOf(this.site, this.definition, service, pin) };
  }

  private copying(service: string, pin: ServicePin) {
    return { site: this.site, service, described: serviceOf(this.definition, service), pin, tell: () => undefined };
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
