/**
 * The graph of a stack carried out in this process: registered by the real program, each resource of the provider really checked, created and
 * updated in the order of its dependencies, the first failure ending the update. What is somebody else's, an image, is noted down.
 */
import { MockMonitor, setMocks } from "@pulumi/pulumi/runtime/mocks.js";
import { disconnect } from "@pulumi/pulumi/runtime/settings.js";
import { System } from "../../../components/system.ts";
import type { Values } from "../../../provider/resource.ts";
import { RESOURCES } from "../../../provider/resources/index.ts";
import { opened } from "../../../provider/wire.ts";
import type { OpenStack } from "../../../scripts/pulumi/stack.ts";

export interface Registered {
  type: string;
  name: string;
  /** Names of what it waits for. */
  after: string[];
  inputs: Values;
}

export interface Update {
  code: number;
  output: string;
  errorOutput: string;
  registered: Registered[];
}

interface Request {
  getType(): string;
  getName(): string;
  getDependenciesList(): string[];
  getObject(): { toJavaScript(): Values };
}

/** State of every resource, by name. */
export type State = Map<string, Values>;

export async function update({ definition, config, pins, site }: OpenStack, state: State): Promise<Update> {
  // The engine runs program and provider there.
  process.env["BACKOUT_PROJECT"] = site.project;
  const registered: Registered[] = [];
  const said: string[] = [];
  let failure: string | null = null;
  const prototype = MockMonitor.prototype as unknown as {
    registerResource: (this: unknown, request: Request, done: unknown) => Promise<void>;
  };
  const { registerResource } = prototype;
  prototype.registerResource = function (request, done) {
    registered.push({
      type: request.getType(),
      name: request.getName(),
      after: request.getDependenciesList().map((urn) => urn.split("::").at(-1)!),
      inputs: request.getObject().toJavaScript(),
    });
    return registerResource.call(this, request, done);
  };
  const apply = async (type: string, name: string, given: Values): Promise<Values> => {
    const resource = RESOURCES.find(({ token }) => token === type);
    const old = state.get(name) ?? null;
    if (resource === undefined || failure !== null) return old ?? given;
    const call = { urn: name, log: (_severity: string, line: string) => void said.push(line) };
    try {
      const { inputs, failures = [] } = (await resource.check?.(given, old, call)) ?? { inputs: given };
      if (failures.length > 0) throw new Error(failures.map(({ reason }) => reason).join("\n"));
      if (old !== null && !(await resource.diff(old, inputs, call))) return old;
      const outputs = old === null ? await resource.create(inputs, call) : await resource.update(old, inputs, call);
      state.set(name, { ...inputs, ...outputs });
      return state.get(name)!;
    } catch (error) {
      failure = (error as Error).message;
      return old ?? given;
    }
  };
  try {
    await setMocks(
      {
        newResource: async ({ type, name, inputs }) => ({ id: name, state: await apply(type, name, opened(inputs as Values)) }),
        call: () => ({}),
      },
      "shop",
      "test",
      false,
    );
    const system = new System("shop", definition, undefined, { config, pins, site, order: null });
    await new Promise((resolve) => system.epoch.apply(resolve));
    await disconnect();
  } finally {
    prototype.registerResource = registerResource;
  }
  const errorOutput = failure === null ? "" : `error: ${failure as string}`;
  return { code: failure === null ? 0 : 255, output: [...said, errorOutput].join("\n"), errorOutput, registered };
}
