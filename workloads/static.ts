/** Static components, the same on every target: a release folder, published as a whole for the traffic gate to serve. */
import type { ComponentPin } from "../config/pins.ts";
import { artefactFolder, publishedFolder, type Site } from "../config/site.ts";
import { verifyArtefact, type Artefact } from "../processes/artefact.ts";
import { publish, published } from "../processes/static-site.ts";
import type { Observation, Target } from "./target.ts";

/** The ledger has no folder for a component that needs one. */
export class ArtefactMissingError extends Error {
  readonly component: string;
  readonly release: string;
  constructor(component: string, release: string, needs: string) {
    super(`backout:releases.${release}.components.${component} has no \`path\`: ${needs}; add path and sha256`);
    this.name = "ArtefactMissingError";
    this.component = component;
    this.release = release;
  }
}

export class StaticTarget implements Target {
  readonly name = "static";
  private readonly site: Site;

  constructor(site: Site) {
    this.site = site;
  }

  async check(component: string, pin: ComponentPin): Promise<void> {
    await verifyArtefact(folderOf(this.site, component, pin, "a static component is published from a release folder"));
  }

  async prepare(component: string, pin: ComponentPin): Promise<void> {
    await this.check(component, pin);
  }

  async install(component: string, pin: ComponentPin): Promise<string> {
    const artefact = folderOf(this.site, component, pin, "a static component is published from a release folder");
    await verifyArtefact(artefact);
    const { path, sha256 } = artefact;
    const { state } = await publish(publishedFolder(this.site, component), path, { release: pin.release, sha256 });
    return `${pin.release} ${state === "already" ? "already published" : "published"}`;
  }

  async stop(): Promise<string> {
    return "static";
  }

  async confirmStopped(): Promise<void> {}

  async resume(): Promise<string> {
    return "static";
  }

  async observe(component: string): Promise<Observation> {
    const site = published(publishedFolder(this.site, component));
    return {
      running: site !== null,
      release: site?.release ?? null,
      pid: null,
      identity: null,
      startedAtMs: null,
      asPinned: (pin) => site !== null && site.release === pin.release && site.sha256 === pin.artefact.sha256,
    };
  }

  async errorLog(): Promise<string[]> {
    return [];
  }

  async errorMark(): Promise<number> {
    return 0;
  }
}

/** The pinned release folder. @throws ArtefactMissingError where the ledger names none; `needs` says who needs it. */
export function folderOf(site: Site, component: string, pin: ComponentPin, needs: string): Artefact {
  const { path, sha256 } = pin.artefact;
  if (path === undefined || sha256 === undefined) throw new ArtefactMissingError(component, pin.release, needs);
  return { path: artefactFolder(site, path), sha256, component, release: pin.release };
}
