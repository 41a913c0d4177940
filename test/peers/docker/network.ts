/** `docker:index/network:Network` */
import type { Values } from "../../../provider/resource.ts";
import { ask, find, unlessGone, whileInUse } from "./daemon.ts";
import { HalfMadeError, labelList, labelsOf, type Kind, type Made } from "./kind.ts";
import type { Rules } from "./rules.ts";

interface Found {
  Id: string;
  Name: string;
  Driver: string;
  Scope: string;
  Internal: boolean;
  Attachable: boolean;
  Ingress: boolean;
  EnableIPv6: boolean;
  Labels: Record<string, string> | null;
  Options: Record<string, string> | null;
  IPAM: {
    Driver: string;
    Options: Record<string, string> | null;
    Config: { Subnet?: string; Gateway?: string; IPRange?: string }[] | null;
  };
}

const RULES: Rules = {
  name: { replaces: true, autonamed: true },
  driver: { replaces: true, computed: true },
  internal: { replaces: true, computed: true },
  attachable: { replaces: true },
  ingress: { replaces: true },
  ipv6: { replaces: true },
  labels: { replaces: true, set: true },
  options: { replaces: true, computed: true },
  ipamDriver: { replaces: true, default: "default" },
  ipamConfigs: { replaces: true, computed: true, set: true },
};

const at = (id: string): string => `/networks/${encodeURIComponent(id)}`;

async function read(id: string, state: Values): Promise<Made | null> {
  const found = await find<Found>(at(id));
  if (found === null) return null;
  const outs: Values = {
    ...state,
    name: found.Name,
    driver: found.Driver,
    scope: found.Scope,
    internal: found.Internal,
    attachable: found.Attachable,
    ingress: found.Ingress,
    ipv6: found.EnableIPv6,
    labels: labelList(found.Labels),
    options: found.Options ?? {},
    ipamDriver: found.IPAM.Driver,
    ipamOptions: found.IPAM.Options ?? {},
    ipamConfigs: (found.IPAM.Config ?? []).map(({ Subnet, Gateway, IPRange }) => ({ subnet: Subnet, gateway: Gateway, ipRange: IPRange })),
  };
  return { id: found.Id, outs };
}

async function create(inputs: Values): Promise<Made> {
  const configs = (inputs["ipamConfigs"] ?? []) as { subnet?: string; gateway?: string; ipRange?: string }[];
  const body = {
    Name: inputs["name"],
    // Older daemons take a name twice unless they are asked.
    CheckDuplicate: true,
    Driver: inputs["driver"],
    Internal: inputs["internal"],
    Attachable: inputs["attachable"],
    Ingress: inputs["ingress"],
    EnableIPv6: inputs["ipv6"],
    Labels: labelsOf(inputs["labels"]),
    Options: inputs["options"],
    IPAM: {
      Driver: inputs["ipamDriver"],
      Config: configs.map(({ subnet, gateway, ipRange }) => ({ Subnet: subnet, Gateway: gateway, IPRange: ipRange })),
    },
  };
  const { Id: id } = await ask<{ Id: string }>("POST", "/networks/create", { body }).catch((error: unknown) => {
    throw new Error(`unable to create network ${String(inputs["name"])}: ${(error as Error).message}`, { cause: error });
  });
  try {
    return (await read(id, inputs)) ?? { id, outs: inputs };
  } catch (error) {
    throw new HalfMadeError((error as Error).message, { id, outs: inputs }, error);
  }
}

export const NETWORK: Kind = {
  rules: RULES,
  create,
  read,
  delete: (id) => whileInUse("has active endpoints", () => unlessGone(ask("DELETE", at(id)))),
};
