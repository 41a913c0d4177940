/** A program as a user writes it: a service that is a resource of another provider, one inside a component of the user's, a process, a site. */
import { join } from "node:path";
import {
  ComponentResource,
  Config,
  CustomResource,
  type ComponentResourceOptions,
  type CustomResourceOptions,
  type Input,
} from "@pulumi/pulumi";
import { process as run, site, sqlite, System, type RunFacts, type SystemArgs } from "../../../components/index.ts";
import { instancesOf, runs, startInstance, stopInstance } from "./tiny/instances.ts";

const config = new Config("shop");
const instances = config.require("instances");

class Server extends CustomResource {
  constructor(name: string, args: Record<string, Input<unknown>>, opts: CustomResourceOptions) {
    super("tiny:index:Server", name, args, opts);
  }
}

/** What a team wraps around its servers. */
class Jobs extends ComponentResource {
  constructor(name: string, facts: RunFacts, opts: ComponentResourceOptions) {
    super("shop:index:Jobs", name, {}, opts);
    new Server(`${name}-server`, argsOf(facts), { parent: this });
    this.registerOutputs({});
  }
}

const argsOf = ({ path, env, labels }: RunFacts) => ({ folder: path, program: "main.ts", env, labels, instances });
const environment = ({ port, databaseUrl, release }: { port: number; databaseUrl: (name: string) => string; release: string }) => ({
  PORT: String(port),
  DATA: databaseUrl("shop"),
  RELEASE: release,
});

const declared: SystemArgs = {
  databases: { shop: sqlite({ migrations: join(import.meta.dirname, "migrations") }) },
  services: {
    api: {
      health: "/healthz",
      port: 8401,
      environment,
      run: (facts) => new Server("api", argsOf(facts), facts.opts),
      control: {
        stop: async ({ service }) => {
          for (const instance of instancesOf(instances, service)) await stopInstance(instance);
        },
        start: async ({ service, release }) => {
          for (const instance of instancesOf(instances, service))
            if (!runs(instance) && instance.labels["backout.release"] === release) startInstance(instance, instance.id);
          return Promise.resolve();
        },
        observe: async ({ service }) => {
          const running = instancesOf(instances, service).find(runs);
          return Promise.resolve(
            running === undefined
              ? { running: false }
              : { running: true, release: running.labels["backout.release"]!, identity: String(running.pid) },
          );
        },
      },
    },
    jobs: { environment, run: (facts) => new Jobs("jobs", facts, facts.opts) },
    worker: { environment, run: run({ entry: "main.ts" }) },
    web: { port: 8402, run: site() },
  },
};
const { change } = (await import(config.require("change"))) as { change: (args: SystemArgs) => void };
change(declared);
const system = new System("shop", declared);

export const { epoch } = system;
