/** `docker:index/volume:Volume` */
import type { Values } from "../../../provider/resource.ts";
import { ask, find, unlessGone, whileInUse } from "./daemon.ts";
import { labelList, labelsOf, type Kind, type Made } from "./kind.ts";
import type { Rules } from "./rules.ts";

interface Found {
  Name: string;
  Driver: string;
  Mountpoint: string;
  Labels: Record<string, string> | null;
  Options: Record<string, string> | null;
}

const RULES: Rules = {
  name: { replaces: true, computed: true, autonamed: true },
  driver: { replaces: true, computed: true },
  driverOpts: { replaces: true },
  labels: { replaces: true, set: true },
};

const at = (name: string): string => `/volumes/${encodeURIComponent(name)}`;

const madeOf = ({ Name, Driver, Mountpoint, Labels, Options }: Found, values: Values): Made => ({
  id: Name,
  outs: { ...values, name: Name, driver: Driver, mountpoint: Mountpoint, labels: labelList(Labels), driverOpts: Options ?? {} },
});

export const VOLUME: Kind = {
  rules: RULES,
  // One of this name that is there already is taken over: that is Docker's way, and the real provider's.
  create: async (inputs) => {
    const body = { Name: inputs["name"], Driver: inputs["driver"], DriverOpts: inputs["driverOpts"], Labels: labelsOf(inputs["labels"]) };
    const found = await ask<Found>("POST", "/volumes/create", { body }).catch((error: unknown) => {
      throw new Error(`unable to create volume ${String(inputs["name"])}: ${(error as Error).message}`, { cause: error });
    });
    return madeOf(found, inputs);
  },
  read: async (id, state) => {
    const found = await find<Found>(at(id));
    return found === null ? null : madeOf(found, state);
  },
  delete: (id) => whileInUse("volume is in use", () => unlessGone(ask("DELETE", at(id), { query: { force: true } }))),
};
