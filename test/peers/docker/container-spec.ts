/** Inputs of a container, what a change of each means, and how Docker is told of them. */
import type { Values } from "../../../provider/resource.ts";
import { DURATION, nanoseconds } from "./durations.ts";
import { labelsOf } from "./kind.ts";
import { canonical, type Rules } from "./rules.ts";

export interface Port {
  internal: number;
  external?: number;
  ip?: string;
  protocol?: string;
}

export interface Healthcheck {
  tests?: string[];
  interval?: string;
  timeout?: string;
  startPeriod?: string;
  startInterval?: string;
  retries?: number;
}

export interface NetworkEntry {
  name: string;
  aliases?: string[];
  ipv4Address?: string;
  ipv6Address?: string;
}

/** Megabytes. */
const MB = 1024 * 1024;

const portKey = ({ internal, protocol, ip }: Port): string => `${internal}/${protocol || "tcp"} ${ip || "0.0.0.0"}`;

/** A port that Docker chose is as good as any where none is asked for. */
function samePorts(is: unknown, wanted: unknown): boolean {
  const [there, asked] = [(is ?? []) as Port[], (wanted ?? []) as Port[]];
  const fits = (port: Port): boolean =>
    there.some((one) => portKey(one) === portKey(port) && (!port.external || port.external === one.external));
  return there.length === asked.length && asked.every(fits);
}

function sameHealthcheck(is: unknown, wanted: unknown): boolean {
  const full = (check: unknown) => ({
    interval: "0s",
    timeout: "0s",
    startPeriod: "0s",
    startInterval: "0s",
    retries: 0,
    ...(check ?? {}),
  });
  return JSON.stringify(canonical(full(is))) === JSON.stringify(canonical(full(wanted)));
}

export const CONTAINER_RULES: Rules = {
  name: { replaces: true, autonamed: true },
  image: { replaces: true, required: true },
  command: { replaces: true, computed: true },
  entrypoints: { replaces: true, computed: true },
  envs: { replaces: true, computed: true, set: true },
  labels: { replaces: true, computed: true, set: true },
  hostname: { replaces: true, computed: true },
  domainname: { replaces: true },
  user: { replaces: true, emptyIsAny: true },
  workingDir: { replaces: true, emptyIsAny: true },
  ports: { replaces: true, same: samePorts, keys: ["internal", "external", "ip", "protocol"] },
  publishAllPorts: { replaces: true },
  volumes: { replaces: true, set: true, keys: ["containerPath", "fromContainer", "hostPath", "volumeName", "readOnly"] },
  tmpfs: {},
  hosts: { replaces: true, set: true },
  dns: { replaces: true, set: true },
  networkMode: { replaces: true, default: "bridge" },
  networksAdvanced: { replaces: true, set: true, keys: ["name", "aliases", "ipv4Address", "ipv6Address"] },
  privileged: { replaces: true },
  readOnly: { replaces: true, default: false },
  tty: { replaces: true, default: false },
  stdinOpen: { replaces: true, default: false },
  stopSignal: { replaces: true, computed: true },
  stopTimeout: { replaces: true, computed: true },
  restart: { default: "no", allowed: /^(no|on-failure|always|unless-stopped)$/ },
  maxRetryCount: {},
  memory: {},
  cpuShares: {},
  cpuSet: {},
  // As with the real one, a change of these two is written into the state and nowhere else.
  healthcheck: { computed: true, same: sameHealthcheck, keys: ["tests", "interval", "timeout", "startPeriod", "startInterval", "retries"] },
  init: { computed: true },
  start: { default: true },
  mustRun: { default: true },
  rm: { default: false },
  wait: { default: false },
  waitTimeout: { default: 60 },
  attach: { default: false },
  logs: { default: false },
  removeVolumes: { default: true },
  destroyGraceSeconds: {},
  containerReadRefreshTimeoutMilliseconds: { default: 15_000 },
};

interface Volume {
  containerPath?: string;
  fromContainer?: string;
  hostPath?: string;
  volumeName?: string;
  readOnly?: boolean;
}

function mountsOf(volumes: Volume[]) {
  const Volumes: Record<string, object> = {};
  const [Binds, VolumesFrom]: string[][] = [[], []];
  for (const { containerPath, fromContainer, hostPath, volumeName, readOnly } of volumes) {
    if (!fromContainer === !containerPath)
      throw new Error(`an entry of volumes needs either containerPath or fromContainer, and has ${containerPath ? "both" : "neither"}`);
    if (fromContainer) {
      VolumesFrom!.push(fromContainer);
      continue;
    }
    Volumes[containerPath!] = {};
    const source = hostPath || volumeName;
    if (source) Binds!.push(`${source}:${containerPath!}:${readOnly ? "ro" : "rw"}`);
  }
  return { Volumes, Binds, VolumesFrom };
}

function healthcheckOf({ tests, interval, timeout, startPeriod, startInterval, retries }: Healthcheck) {
  const length = (name: string, value = "0s"): number => {
    if (!DURATION.test(value)) throw new Error(`healthcheck.${name}: ${JSON.stringify(value)} is no duration such as 5s or 500ms`);
    return nanoseconds(value);
  };
  return {
    Test: tests,
    Interval: length("interval", interval),
    Timeout: length("timeout", timeout),
    StartPeriod: length("startPeriod", startPeriod),
    StartInterval: length("startInterval", startInterval),
    Retries: retries,
  };
}

/** What can change while the container is there. */
export function resourcesOf(inputs: Values) {
  return {
    RestartPolicy: { Name: inputs["restart"] ?? "no", MaximumRetryCount: inputs["maxRetryCount"] ?? 0 },
    CpuShares: inputs["cpuShares"] ?? 0,
    CpusetCpus: inputs["cpuSet"] ?? "",
    Memory: Number(inputs["memory"] ?? 0) * MB,
  };
}

export const megabytes = (bytes: number): number => bytes / MB;

/** What Docker is asked to make. */
export function specOf(inputs: Values): object {
  const command = inputs["command"] as string[] | undefined;
  if (command?.includes("")) throw new Error("values for command may not be empty");
  const ports = (inputs["ports"] ?? []) as Port[];
  const bindings: Record<string, { HostIp: string; HostPort: string }[]> = {};
  for (const { internal, external, ip, protocol } of ports)
    (bindings[`${internal}/${protocol || "tcp"}`] ??= []).push({ HostIp: ip || "0.0.0.0", HostPort: String(external ?? 0) });
  const { Volumes, Binds, VolumesFrom } = mountsOf((inputs["volumes"] ?? []) as Volume[]);
  const hosts = (inputs["hosts"] ?? []) as { host: string; ip: string }[];
  return {
    Image: inputs["image"],
    Hostname: inputs["hostname"],
    Domainname: inputs["domainname"],
    Tty: inputs["tty"],
    OpenStdin: inputs["stdinOpen"],
    StopSignal: inputs["stopSignal"],
    // 0 is taken for nothing said.
    StopTimeout: inputs["stopTimeout"] || undefined,
    Env: inputs["envs"],
    Cmd: command,
    Entrypoint: inputs["entrypoints"],
    User: inputs["user"],
    WorkingDir: inputs["workingDir"],
    Labels: labelsOf(inputs["labels"]),
    ExposedPorts: Object.fromEntries(Object.keys(bindings).map((port) => [port, {}])),
    Volumes,
    Healthcheck: inputs["healthcheck"] === undefined ? undefined : healthcheckOf(inputs["healthcheck"] as Healthcheck),
    HostConfig: {
      ...resourcesOf(inputs),
      Privileged: inputs["privileged"],
      PublishAllPorts: inputs["publishAllPorts"],
      AutoRemove: inputs["rm"],
      ReadonlyRootfs: inputs["readOnly"],
      Init: inputs["init"] ?? false,
      PortBindings: bindings,
      ExtraHosts: hosts.map(({ host, ip }) => `${host}:${ip}`),
      Dns: inputs["dns"],
      Tmpfs: inputs["tmpfs"],
      Binds,
      VolumesFrom,
      NetworkMode: inputs["networkMode"],
    },
  };
}
