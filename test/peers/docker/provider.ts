/** From type token to what is done with Docker; secrets, unknown values and errors are handled here. */
import type { provider } from "@pulumi/pulumi";
import type { Values } from "../../../provider/resource.ts";
import { secretPaths, unwrap, wrap } from "../../../provider/wire.ts";
import { CONTAINER } from "./container.ts";
import { IMAGE } from "./image.ts";
import { HalfMadeError, type Kind } from "./kind.ts";
import { NETWORK } from "./network.ts";
import { changesOf, completed, inputsOf, withoutDefaults } from "./rules.ts";
import { VOLUME } from "./volume.ts";

const KINDS: Readonly<Record<string, Kind>> = {
  "docker:index/container:Container": CONTAINER,
  "docker:index/network:Network": NETWORK,
  "docker:index/remoteImage:RemoteImage": IMAGE,
  "docker:index/volume:Volume": VOLUME,
};

const logicalOf = (urn: string): string => urn.split("::").at(-1)!;

function kindOf(urn: string): Kind {
  const type = urn.split("::")[2]!.split("$").at(-1)!;
  const kind = KINDS[type];
  if (kind === undefined) throw new Error(`the stand-in of the docker plugin has no ${type}, only ${Object.keys(KINDS).join(", ")}`);
  return kind;
}

const plain = (values: Values): Values => unwrap(values) as Values;
/** What came as a secret goes as one. */
const hidden = (values: Values, ...originals: Values[]): Values =>
  wrap(
    values,
    originals.flatMap((values) => secretPaths(values)),
  ) as Values;

/** Every error says which resource it is of. */
async function of<T>(urn: string, doing: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const said = `${logicalOf(urn)}: ${doing}: ${(error as Error).message}`;
    const told = error instanceof HalfMadeError ? error : new Error(said, { cause: error });
    if (told instanceof HalfMadeError) {
      told.message = said;
      told.reasons = [said];
    }
    // The server writes it beside the message, and the user reads both.
    told.stack = told.name;
    throw told;
  }
}

export const PROVIDER = {
  version: "5.2.0",

  async check(urn: string, olds: Values, news: Values): Promise<provider.CheckResult> {
    return of(urn, "its inputs", async () => {
      const { inputs, failures } = completed(kindOf(urn).rules, logicalOf(urn), plain(olds), plain(news));
      return { inputs: hidden(inputs, news), failures };
    });
  },

  async diff(_id: string, urn: string, olds: Values, news: Values): Promise<provider.DiffResult> {
    return of(urn, "what changed", async () => {
      const { rules, deletedFirst } = kindOf(urn);
      const { changed, replaces, deleteBeforeReplace } = changesOf(rules, plain(olds), plain(news), deletedFirst ?? false);
      return { changes: changed.length > 0, replaces, deleteBeforeReplace };
    });
  },

  async create(urn: string, inputs: Values): Promise<provider.CreateResult> {
    return of(urn, "create", async () => {
      try {
        const { id, outs } = await kindOf(urn).create(withoutDefaults(plain(inputs)));
        return { id, outs: hidden(outs, inputs) };
      } catch (error) {
        if (error instanceof HalfMadeError) error.properties = hidden(error.properties, inputs);
        throw error;
      }
    });
  },

  async read(id: string, urn: string, props: Values): Promise<provider.ReadResult> {
    return of(urn, "read", async () => {
      const kind = kindOf(urn);
      const found = await kind.read(id, plain(props));
      if (found === null) return { id: "", props: {} };
      // Only what is imported has no inputs yet.
      const imported = Object.keys(props).length === 0;
      return { id: found.id, props: hidden(found.outs, props), ...(imported ? { inputs: inputsOf(kind.rules, found.outs) } : {}) };
    });
  },

  async update(id: string, urn: string, olds: Values, news: Values): Promise<provider.UpdateResult> {
    return of(urn, "update", async () => {
      const kind = kindOf(urn);
      const [before, inputs] = [plain(olds), withoutDefaults(plain(news))];
      const { changed } = changesOf(kind.rules, before, inputs, false);
      const outs = await kind.update?.(id, before, inputs);
      // What did not change keeps what Docker chose, such as a port.
      const kept = Object.entries(before).filter(([property]) => !changed.includes(property));
      const wanted = Object.entries(inputs).filter(([property]) => changed.includes(property));
      return { outs: hidden({ ...Object.fromEntries([...kept, ...wanted]), ...outs }, news) };
    });
  },

  async delete(id: string, urn: string, props: Values): Promise<void> {
    return of(urn, "delete", () => kindOf(urn).delete(id, plain(props)));
  },
} satisfies provider.Provider;
