/** A program of plain Pulumi: a network, a volume, an image and a container, which serves what it wrote into the volume. */
import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";

/** What the stack's config has as `peer:args`. */
export interface PeerArgs {
  /** Value of the label `backout.test`, by which the test finds what is made. */
  label: string;
  image: string;
  release: string;
  token: string;
  restart?: string;
  /** Name of the container. Default: chosen. */
  name?: string;
  /** The old container goes when the new one runs. Default: before it is made. */
  keepsBoth?: boolean;
}

const { label, image, release, token, restart, name, keepsBoth = false } = new pulumi.Config("peer").requireObject<PeerArgs>("args");
const labels = [{ label: "backout.test", value: label }];

const network = new docker.Network("net", { labels });
const volume = new docker.Volume("data", { labels });
const pulled = new docker.RemoteImage("image", { name: image, keepLocally: true });
const web = new docker.Container(
  "web",
  {
    image: pulled.imageId,
    labels,
    envs: [`RELEASE=${release}`, pulumi.secret(`TOKEN=${token}`)],
    networksAdvanced: [{ name: network.name, aliases: ["web"] }],
    volumes: [{ volumeName: volume.name, containerPath: "/data" }],
    ports: [{ internal: 8080, ip: "127.0.0.1" }],
    hosts: [{ host: "elsewhere.example", ip: "127.0.0.9" }],
    healthcheck: { tests: ["CMD", "/bin/busybox", "true"], interval: "1s" },
    wait: true,
    ...(restart === undefined ? {} : { restart }),
    ...(name === undefined ? {} : { name }),
  },
  keepsBoth ? { deleteBeforeReplace: false } : {},
);

export const id = web.id;
export const port = web.ports.apply((ports) => ports?.[0]?.external);
export const networks = web.networkDatas.apply((networks) => networks.map(({ networkName }) => networkName));
export const networkName = network.name;
export const imageId = pulled.imageId;
