/** Argument arrays of the `docker` command. They hold only names: values of the environment are passed separately. */

/** Labels: the container's stack, service and content; read to find what runs. */
export const LABELS = {
  stack: "backout.stack",
  service: "backout.service",
  release: "backout.release",
  config: "backout.config",
  setup: "backout.setup",
} as const;

export interface ContainerSpec {
  /** Temporary name: the container is renamed when it replaces the previous one. */
  name: string;
  stack: string;
  service: string;
  release: string;
  configHash: string;
  /** Hash of what else it is started with; null: unknown. */
  setupHash: string | null;
  /** Image by digest or id. */
  image: string;
  /** Port the service listens on in the container, published as the same port of 127.0.0.1; null publishes nothing. */
  port: number | null;
  environment: Record<string, string>;
}

/** Host name by which containers reach this machine. */
const HOST_FROM_INSIDE = "host.docker.internal";

/**
 * No restart policy: a container that was never healthy must not restart automatically.
 * @param envFile File with those variables of `splitEnvironment` that cannot be in the command's own environment.
 */
export function createArguments(spec: ContainerSpec, envFile: string | null): string[] {
  const labels = {
    [LABELS.stack]: spec.stack,
    [LABELS.service]: spec.service,
    [LABELS.release]: spec.release,
    [LABELS.config]: spec.configHash,
    ...(spec.setupHash === null ? {} : { [LABELS.setup]: spec.setupHash }),
  };
  const { passed } = splitEnvironment(spec.environment);
  return [
    "create",
    ...["--name", spec.name],
    ...["--pull", "never"],
    ...["--restart", "no"],
    ...["--add-host", `${HOST_FROM_INSIDE}:host-gateway`],
    ...Object.entries(labels).flatMap(([label, value]) => ["--label", `${label}=${value}`]),
    ...(spec.port === null ? [] : ["--publish", `127.0.0.1:${spec.port}:${spec.port}`]),
    ...(envFile === null ? [] : ["--env-file", envFile]),
    ...Object.keys(passed).flatMap((name) => ["--env", name]),
    spec.image,
  ];
}

/** Variables that the `docker` command reads itself: a service's value under such a name would change its connection. */
const READ_BY_DOCKER =
  /^(?:PATH|HOME|USER|TMPDIR|PWD|(?:DOCKER|BUILDX?|BUILDKIT|COMPOSE|LD|SSH|SSL|XDG|OTEL)_.*|(?:HTTPS?|ALL|NO|FTP)_PROXY|GO(?:DEBUG|TRACEBACK|MAXPROCS|MEMLIMIT|GC))$/i;

/** `passed` goes into the environment of the command, `filed` into a file that only its owner can read. */
export function splitEnvironment(environment: Record<string, string>): { passed: Record<string, string>; filed: Record<string, string> } {
  const entries = Object.entries(environment);
  return {
    passed: Object.fromEntries(entries.filter(([name]) => !READ_BY_DOCKER.test(name))),
    filed: Object.fromEntries(entries.filter(([name]) => READ_BY_DOCKER.test(name))),
  };
}

/**
 * A URL on the loopback device means this machine, which a container reaches under another name. The service's own port is unchanged.
 * Only the host changes: a password in the URL may hold anything.
 */
export function seenFromInside(environment: Record<string, string>, ownPort: number): Record<string, string> {
  return Object.fromEntries(
    Object.entries(environment).map(([name, value]) => {
      const [whole, before, port] =
        /^([a-z][a-z0-9+.-]*:\/\/(?:[^/?#@]*@)?)(?:127\.0\.0\.1|localhost|\[::1\])(?::(\d+))?(?=[/?#]|$)/i.exec(value) ?? [];
      if (whole === undefined || before === undefined || (port !== undefined && Number(port) === ownPort)) return [name, value];
      return [name, `${before}${HOST_FROM_INSIDE}${port === undefined ? "" : `:${port}`}${value.slice(whole.length)}`];
    }),
  );
}

export const versionArguments = (): string[] => ["version", "--format", "{{.Server.Platform.Name}}"];
export const imageArguments = (image: string): string[] => ["image", "inspect", "--format", "{{.Id}}", image];
/** Its id, then its digests in registries. */
export const digestsArguments = (image: string): string[] => ["image", "inspect", "--format", '{{.Id}} {{join .RepoDigests " "}}', image];
export const pullArguments = (image: string): string[] => ["pull", "--quiet", image];
export const inspectArguments = (...containers: string[]): string[] => ["container", "inspect", ...containers];
export const startArguments = (id: string): string[] => ["start", id];
export const execArguments = (id: string, command: readonly string[]): string[] => ["exec", id, ...command];
export const waitArguments = (id: string): string[] => ["wait", id];
export const renameArguments = (id: string, name: string): string[] => ["rename", id, name];
/** Not by force: a container that runs is never removed. Its volumes stay. */
export const removeArguments = (id: string): string[] => ["rm", id];
/** From now on the daemon restarts it, unless it is stopped. */
export const keepRunningArguments = (id: string): string[] => ["update", "--restart", "unless-stopped", id];

/** `graceMs` after SIGTERM comes SIGKILL. Docker counts in whole seconds, so this rounds up. */
export function stopArguments(ids: string[], graceMs: number): string[] {
  return ["stop", "-t", String(Math.ceil(graceMs / 1000)), ...ids];
}

/** Every container of a service, running or not, under any name. */
export function listArguments(stack: string, service: string): string[] {
  const labels = { [LABELS.stack]: stack, [LABELS.service]: service };
  return [
    "ps",
    "--all",
    "--quiet",
    "--no-trunc",
    ...Object.entries(labels).flatMap(([label, value]) => ["--filter", `label=${label}=${value}`]),
  ];
}

/**
 * All of a container's log: every start by backout is a new container. Not `--tail`, which counts the lines of both streams; nor `--since`
 * its start, which Docker records after the program's first lines.
 */
export const logsArguments = (id: string): string[] => ["logs", id];
