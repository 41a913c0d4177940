/** The backout provider: from type token to resource, with secrets, unknown values and operations in flight handled in one place. */
import type { provider } from "@pulumi/pulumi";
import type { Log } from "../config/run.ts";
import type { Site } from "../config/site.ts";
import { sharesKeys } from "../config/stack-keys.ts";
import { identityAt } from "../state/identity.ts";
import { inFlight } from "./lifetime.ts";
import { UNKNOWN, type Call, type Resource, type Values } from "./resource.ts";
import { closed, containsUnknown, opened } from "./wire.ts";

/** `urn:pulumi:<stack>::<project>::<parent$type>::<name>` */
export function typeOf(urn: string): string {
  return urn.split("::")[2]?.split("$").at(-1) ?? "";
}

/**
 * A resource that could not be made, but may have started something: by these fields the engine keeps it in its state, so that `destroy`
 * ends what was started and the next update goes on with an update.
 */
class HalfMadeError extends Error {
  readonly id: string;
  /** As outputs are: every secret wrapped. */
  readonly properties: Values;
  readonly reasons: readonly string[];

  constructor(cause: Error, id: string, properties: Values) {
    super(cause.message, { cause });
    this.name = "HalfMadeError";
    this.id = id;
    this.properties = properties;
    this.reasons = [cause.message];
  }
}

/** The system as a component for programs in other languages. */
export interface Component {
  packageSchema(): string;
  construct: Required<provider.Provider>["construct"];
}

export class BackoutProvider implements provider.Provider {
  readonly version: string;
  private readonly resources: Promise<ReadonlyMap<string, Resource>>;
  private readonly logFor: (urn: string) => Log;
  /** Loaded when a program in another language asks for it. */
  private readonly component: () => Promise<Component>;

  /** @param resources may still be loading while the server already listens. */
  constructor(
    version: string,
    resources: readonly Resource[] | Promise<readonly Resource[]>,
    logFor: (urn: string) => Log,
    component: () => Promise<Component> = () => Promise.reject(new Error("this provider has no component")),
  ) {
    this.version = version;
    this.component = component;
    this.resources = Promise.resolve(resources).then((all) => new Map(all.map((resource) => [resource.token, resource])));
    this.logFor = logFor;
  }

  async getSchema(): Promise<string> {
    return (await this.component()).packageSchema();
  }

  async construct(...asked: Parameters<Component["construct"]>): Promise<provider.ConstructResult> {
    return (await this.component()).construct(...asked);
  }

  async check(urn: string, olds: Values, news: Values): Promise<provider.CheckResult> {
    const resource = await this.resource(urn);
    const inputs = opened(news);
    // What is not known yet cannot be judged; the update checks again with everything known.
    if (resource.check === undefined || containsUnknown(inputs)) return { inputs: news };
    const old = Object.keys(olds).length === 0 ? null : opened(olds);
    const answer = await resource.check(inputs, old, this.callOf(urn));
    return { inputs: closed(answer.inputs, news), failures: answer.failures ?? [] };
  }

  async diff(_id: string, urn: string, olds: Values, news: Values): Promise<provider.DiffResult> {
    const inputs = opened(news);
    if (containsUnknown(inputs)) return { changes: true };
    return { changes: await (await this.resource(urn)).diff(opened(olds), inputs, this.callOf(urn)) };
  }

  async create(urn: string, inputs: Values): Promise<provider.CreateResult> {
    return inFlight(async () => {
      const resource = await this.resource(urn);
      const values = known(opened(inputs));
      const id = urn.split("::").at(-1) ?? urn;
      try {
        return { id, outs: complete(values, await resource.create(values, this.callOf(urn)), inputs) };
      } catch (error) {
        throw resource.delete === undefined ? error : new HalfMadeError(error as Error, id, complete(values, {}, inputs));
      }
    });
  }

  async update(_id: string, urn: string, olds: Values, news: Values): Promise<provider.UpdateResult> {
    return inFlight(async () => {
      const resource = await this.resource(urn);
      const values = known(opened(news));
      const outs = await resource.update(opened(olds), values, this.callOf(urn));
      return { outs: complete(values, outs, news) };
    });
  }

  /** Read never says "gone": an unreachable server is no reason to delete from state. */
  async read(id: string, _urn: string, props?: Values): Promise<provider.ReadResult> {
    return Promise.resolve({ id, props: props ?? {} });
  }

  async delete(_id: string, urn: string, props: Values): Promise<void> {
    await inFlight(async () => {
      const resource = await this.resource(urn);
      const values = atHome(opened(props));
      await resource.beforeDelete?.(values, this.callOf(urn));
      await resource.delete?.(values, this.callOf(urn));
    });
  }

  /** Functions a program may call: `getVersion`, answered before the resources are loaded. */
  async invoke(token: string): Promise<provider.InvokeResult> {
    if (token !== "backout:index:getVersion") throw new Error(`backout has no function ${token}; known is backout:index:getVersion`);
    return Promise.resolve({ outputs: { version: this.version } });
  }

  private async resource(urn: string): Promise<Resource> {
    const resources = await this.resources;
    const resource = resources.get(typeOf(urn));
    if (resource === undefined)
      throw new Error(`backout has no resource type ${typeOf(urn)}; known are ${[...resources.keys()].join(", ")}`);
    return resource;
  }

  private callOf(urn: string): Call {
    return { urn, log: this.logFor(urn) };
  }
}

/**
 * What is deleted may have been made on another machine: `destroy` runs no program that says where the stack's home is on this one. Only where
 * nothing of the stack is at the recorded place, and the other home is not another stack's.
 */
function atHome(values: Values): Values {
  const home = process.env["BACKOUT_HOME"];
  const site = values["site"] as Site | null | undefined;
  if (home === undefined || typeof site !== "object" || site === null) return values;
  if (!sharesKeys(site) || identityAt(site.home) !== null) return values;
  const there = identityAt(home);
  return there !== null && there.name !== (site.name ?? site.stack) ? values : { ...values, site: { ...site, home } };
}

function known(values: Values): Values {
  if (containsUnknown(values)) throw new Error("an input is not known at the time of the operation");
  return values;
}

/** Inputs and outputs together, every secret wrapped again, nothing left undefined. */
function complete(values: Values, outs: Values, original: Values): Values {
  const all = Object.fromEntries(
    Object.entries({ ...values, ...outs }).map(([key, value]) => [key, value === undefined || value === UNKNOWN ? null : value]),
  );
  return closed(all, original);
}
