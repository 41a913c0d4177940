/** `docker:index/container:Container` */
import type { Values } from "../../../provider/resource.ts";
import { CONTAINER_RULES, megabytes, resourcesOf, specOf, type Healthcheck, type NetworkEntry, type Port } from "./container-spec.ts";
import { ask, DockerError, find, unlessGone } from "./daemon.ts";
import { durationOf } from "./durations.ts";
import { findOrPull } from "./image.ts";
import { HalfMadeError, type Kind, type Made } from "./kind.ts";
import { canonical } from "./rules.ts";

/** What is read of a container. */
interface Found {
  Id: string;
  Name: string;
  Image: string;
  State: { Running: boolean; ExitCode: number; Health?: { Status: string } };
  Config: {
    Image: string;
    Hostname: string;
    Domainname: string;
    Cmd: string[] | null;
    Entrypoint: string[] | null;
    User: string;
    WorkingDir: string;
    Tty: boolean;
    OpenStdin: boolean;
    StopSignal?: string;
    StopTimeout?: number;
    Healthcheck?: { Test?: string[]; Interval?: number; Timeout?: number; StartPeriod?: number; StartInterval?: number; Retries?: number };
  };
  HostConfig: {
    AutoRemove: boolean;
    ReadonlyRootfs: boolean;
    Privileged: boolean;
    PublishAllPorts: boolean;
    RestartPolicy: { Name: string; MaximumRetryCount: number };
    Init: boolean | null;
    ExtraHosts: string[] | null;
    Dns: string[] | null;
    Tmpfs?: Record<string, string> | null;
    NetworkMode: string;
    Memory: number;
    CpuShares: number;
    CpusetCpus: string;
    Runtime: string;
    IpcMode: string;
    ShmSize: number;
    LogConfig: { Type: string };
  };
  NetworkSettings: {
    Bridge?: string;
    Ports: Record<string, { HostIp: string; HostPort: string }[] | null> | null;
    Networks: Record<
      string,
      Record<"IPAddress" | "Gateway" | "GlobalIPv6Address" | "IPv6Gateway" | "MacAddress", string> & Prefixes
    > | null;
  };
}
interface Prefixes {
  IPPrefixLen: number;
  GlobalIPv6PrefixLen: number;
}

const at = (id: string): string => `/containers/${encodeURIComponent(id)}`;
const inspect = (id: string): Promise<Found | null> => find<Found>(`${at(id)}/json`);

function portsOf(ports: Found["NetworkSettings"]["Ports"]): Port[] {
  return Object.entries(ports ?? {})
    .flatMap(([key, bindings]) => {
      const [internal, protocol] = key.split("/");
      return (bindings ?? []).map(({ HostIp, HostPort }) => ({
        internal: Number(internal),
        external: Number(HostPort),
        ip: HostIp,
        protocol: protocol!,
      }));
    })
    .sort((one, other) => one.internal - other.internal);
}

const networksOf = (networks: Found["NetworkSettings"]["Networks"]) =>
  Object.entries(networks ?? {}).map(([networkName, network]) => ({
    networkName,
    ipAddress: network.IPAddress,
    ipPrefixLength: network.IPPrefixLen,
    gateway: network.Gateway,
    globalIpv6Address: network.GlobalIPv6Address,
    globalIpv6PrefixLength: network.GlobalIPv6PrefixLen,
    ipv6Gateway: network.IPv6Gateway,
    macAddress: network.MacAddress,
  }));

function healthcheckOf(check: Found["Config"]["Healthcheck"]): Healthcheck | undefined {
  if (check === undefined) return undefined;
  return {
    tests: check.Test ?? [],
    interval: durationOf(check.Interval ?? 0),
    timeout: durationOf(check.Timeout ?? 0),
    startPeriod: durationOf(check.StartPeriod ?? 0),
    startInterval: durationOf(check.StartInterval ?? 0),
    retries: check.Retries ?? 0,
  };
}

function hostsOf(entries: string[] | null): { host: string; ip: string }[] {
  return (entries ?? []).map((entry) => ({ host: entry.slice(0, entry.indexOf(":")), ip: entry.slice(entry.indexOf(":") + 1) }));
}

/** Environment, labels and volumes stay as they were: what the image adds to them cannot be told from what somebody changed. */
function observed(found: Found, state: Values): Values {
  const { Config, HostConfig, NetworkSettings, State } = found;
  const mustRun = state["mustRun"] === true;
  return {
    envs: [],
    labels: [],
    ...state,
    name: found.Name.replace(/^\//, ""),
    image: typeof state["image"] === "string" && state["image"].startsWith("sha256:") ? found.Image : Config.Image,
    hostname: Config.Hostname,
    domainname: Config.Domainname,
    command: Config.Cmd ?? [],
    entrypoints: Config.Entrypoint ?? [],
    user: Config.User,
    workingDir: Config.WorkingDir,
    tty: Config.Tty,
    stdinOpen: Config.OpenStdin,
    stopSignal: Config.StopSignal ?? "",
    stopTimeout: Config.StopTimeout ?? 0,
    rm: HostConfig.AutoRemove,
    readOnly: HostConfig.ReadonlyRootfs,
    privileged: HostConfig.Privileged,
    publishAllPorts: HostConfig.PublishAllPorts,
    restart: HostConfig.RestartPolicy.Name,
    maxRetryCount: HostConfig.RestartPolicy.MaximumRetryCount,
    init: HostConfig.Init ?? false,
    hosts: hostsOf(HostConfig.ExtraHosts),
    dns: HostConfig.Dns ?? [],
    tmpfs: HostConfig.Tmpfs ?? {},
    networkMode: HostConfig.NetworkMode,
    memory: megabytes(HostConfig.Memory),
    cpuShares: HostConfig.CpuShares,
    cpuSet: HostConfig.CpusetCpus,
    runtime: HostConfig.Runtime,
    ipcMode: HostConfig.IpcMode,
    shmSize: megabytes(HostConfig.ShmSize),
    logDriver: HostConfig.LogConfig.Type,
    bridge: NetworkSettings.Bridge ?? "",
    healthcheck: healthcheckOf(Config.Healthcheck),
    // One that has ended has no ports any more: they show as gone where it must run, so that the next update makes it anew.
    ...(canonical(state["ports"]) !== null && (State.Running || mustRun) ? { ports: portsOf(NetworkSettings.Ports) } : {}),
    networkDatas: networksOf(NetworkSettings.Networks),
    ...(State.Running ? {} : { exitCode: State.ExitCode }),
    // That it has ended shows as a change from `mustRun` to what is.
    mustRun: mustRun && State.Running,
  };
}

async function read(id: string, state: Values): Promise<Made | null> {
  const found = await inspect(id);
  return found?.Id === id ? { id, outs: observed(found, state) } : null;
}

async function connect(id: string, networks: NetworkEntry[]): Promise<void> {
  await ask("POST", "/networks/bridge/disconnect", { body: { Container: id } }).catch((error: unknown) => {
    if (!(error instanceof DockerError) || !error.message.includes("is not connected to")) throw error;
  });
  for (const { name, aliases, ipv4Address, ipv6Address } of networks) {
    const EndpointConfig = { Aliases: aliases, IPAMConfig: { IPv4Address: ipv4Address, IPv6Address: ipv6Address } };
    await ask("POST", `/networks/${encodeURIComponent(name)}/connect`, { body: { Container: id, EndpointConfig } }).catch(
      (error: unknown) => {
        throw new Error(`unable to connect to network ${name}: ${(error as Error).message}`, { cause: error });
      },
    );
  }
}

async function untilHealthy(id: string, limitSeconds: number): Promise<void> {
  const until = performance.now() + limitSeconds * 1000;
  for (;;) {
    const health = (await inspect(id))?.State.Health;
    if (health === undefined) throw new Error("wait is set, but the container has no healthcheck");
    if (health.Status === "healthy") return;
    if (performance.now() > until) throw new Error(`container failed to be in healthy state within ${limitSeconds} s`);
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
}

async function create(inputs: Values): Promise<Made> {
  const [image, name] = [String(inputs["image"]), String(inputs["name"])];
  if (inputs["attach"] === true || inputs["logs"] === true)
    throw new Error("the stand-in of the docker plugin knows neither attach nor logs");
  const refused = (what: string) => (error: unknown) => {
    throw new Error(`${what}: ${(error as Error).message}`, { cause: error });
  };
  await findOrPull(image).catch(refused(`unable to create container with image ${image}`));
  const { Id: id } = await ask<{ Id: string }>("POST", "/containers/create", { query: { name }, body: specOf(inputs) }).catch(
    refused(`unable to create container ${name}`),
  );
  try {
    const networks = (inputs["networksAdvanced"] ?? []) as NetworkEntry[];
    if (networks.length > 0) await connect(id, networks);
    if (inputs["start"] === true) {
      await ask("POST", `${at(id)}/start`).catch(refused(`unable to start container ${name}`));
      if (inputs["wait"] === true) await untilHealthy(id, Number(inputs["waitTimeout"]));
    }
    return (await read(id, inputs)) ?? { id, outs: inputs };
  } catch (error) {
    throw new HalfMadeError((error as Error).message, { id, outs: inputs }, error);
  }
}

async function update(id: string, olds: Values, inputs: Values): Promise<Values> {
  if (olds["mustRun"] === false && inputs["mustRun"] === true && inputs["start"] === true) await ask("POST", `${at(id)}/start`);
  if (JSON.stringify(resourcesOf(olds)) !== JSON.stringify(resourcesOf(inputs)))
    await ask("POST", `${at(id)}/update`, { body: resourcesOf(inputs) });
  return {};
}

async function remove(id: string, state: Values): Promise<void> {
  // Without a grace it gets its signal and is killed in the same moment.
  await unlessGone(ask("POST", `${at(id)}/stop`, { query: { t: Math.max(Number(state["destroyGraceSeconds"] ?? 0), 0) } }));
  const query = { v: state["removeVolumes"] !== false, force: true };
  await unlessGone(ask("DELETE", at(id), { query }), "is already in progress");
  await unlessGone(ask("POST", `${at(id)}/wait`, { query: { condition: state["rm"] === true ? "removed" : "not-running" } }));
}

export const CONTAINER: Kind = { rules: CONTAINER_RULES, deletedFirst: true, create, read, update, delete: remove };
