/** A small provider with one resource, a server as a process: stands for whatever a provider of the user's offers. */
import { main } from "@pulumi/pulumi/provider/server.js";
import { endInstance, startInstance, type Spec } from "./instances.ts";

/** The environment is a secret, which the server of a Node provider hands over in its wrapper. */
const inputsOf = ({ folder, program, env, labels, instances }: Spec): Spec => ({
  folder,
  program,
  env: "value" in env ? (env["value"] as unknown as Record<string, string>) : env,
  labels,
  instances,
});
const same = (one: Spec, other: Spec): boolean => JSON.stringify(inputsOf(one)) === JSON.stringify(inputsOf(other));

await main(
  {
    version: "1.0.0",
    check: (_urn: string, _olds: unknown, news: unknown) => Promise.resolve({ inputs: news }),
    diff: (_id: string, _urn: string, olds: Spec, news: Spec) =>
      Promise.resolve({ changes: !same(olds, news), replaces: same(olds, news) ? [] : ["env"] }),
    create: (_urn: string, inputs: Spec) => {
      const id = startInstance(inputsOf(inputs));
      return Promise.resolve({ id, outs: { ...inputs, instance: id } });
    },
    delete: (id: string, _urn: string, { instances }: Spec) => endInstance(instances, id),
  },
  process.argv.slice(2),
);
