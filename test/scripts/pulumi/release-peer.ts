import { execFile } from "node:child_process";
import { createServer as createHttpServer } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { connect, type AddressInfo, type Server } from "node:net";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { onTestFinished } from "vitest";
import { standInPulumi, type Scratch } from "./scratch.ts";

const execute = promisify(execFile);
const HOST = "get.pulumi.com";

export interface ReleasePeer {
  /** What a process needs in its environment to take this peer for the host of the official releases. */
  env: NodeJS.ProcessEnv;
  /** Paths asked for, in order. */
  asked: string[];
}

/** Why there can be no such peer here; null: there can. */
export async function withoutReleasePeer(): Promise<string | null> {
  for (const [tool, asks] of [
    ["openssl", "version"],
    ["curl", "--version"],
  ] as const)
    if (
      await execute(tool, [asks]).then(
        () => false,
        () => true,
      )
    )
      return `there is no ${tool} here, which the stand-in for ${HOST} needs`;
  return null;
}

/**
 * A stand-in for the host of Pulumi's official releases, reached over TLS through a proxy as from within a company: an installer with the
 * arguments of the real one, and a release of the CLI that says it is `version`.
 */
export async function releasePeer(here: Scratch, version: string): Promise<ReleasePeer> {
  const place = join(here.root, "peer");
  await standInPulumi(join(place, "pulumi"), `v${version}`);
  await mkdir(join(place, "tls"));
  const [key, certificate] = [join(place, "tls", "key.pem"), join(place, "tls", "certificate.pem")];
  // prettier-ignore
  await execute("openssl", ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", `/CN=${HOST}`,
    "-addext", `subjectAltName=DNS:${HOST}`, "-keyout", key, "-out", certificate]);
  const archive = `/releases/sdk/pulumi-v${version}-linux-x64.tar.gz`;
  await execute("tar", ["-czf", join(place, "release.tar.gz"), "-C", place, "pulumi"]);
  const pages = new Map([
    ["/install.sh", Buffer.from(INSTALLER)],
    [archive, await readFile(join(place, "release.tar.gz"))],
  ]);

  const asked: string[] = [];
  const host = createTlsServer({ key: await readFile(key), cert: await readFile(certificate) }, (request, response) => {
    asked.push(request.url ?? "");
    const page = pages.get(request.url ?? "");
    response.writeHead(page === undefined ? 404 : 200).end(page);
  });
  const hostPort = await listening(host);
  const proxy = createHttpServer((_, response) => response.writeHead(405).end());
  proxy.on("connect", (request, client, head) => {
    const upstream = connect(request.url === `${HOST}:443` ? hostPort : 9, "127.0.0.1", () => {
      client.write("HTTP/1.1 200 Connection established\r\n\r\n");
      upstream.write(head);
      upstream.pipe(client).pipe(upstream);
    });
    upstream.on("error", () => client.destroy());
    client.on("error", () => upstream.destroy());
  });
  const address = `http://127.0.0.1:${await listening(proxy)}`;
  return { asked, env: { HTTPS_PROXY: address, https_proxy: address, NODE_EXTRA_CA_CERTS: certificate, CURL_CA_BUNDLE: certificate } };
}

async function listening(server: Server): Promise<number> {
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

const INSTALLER = `#!/bin/sh
set -e
while [ $# -gt 0 ]; do
  case "$1" in
    --version) version="$2"; shift ;;
    --install-root) root="$2"; shift ;;
    --no-edit-path) ;;
    *) echo "unknown argument $1" >&2; exit 1 ;;
  esac
  shift
done
archive=$(mktemp)
curl --fail --silent --show-error --location --output "$archive" "https://${HOST}/releases/sdk/pulumi-v$version-linux-x64.tar.gz"
rm -rf "$root/bin"
mkdir -p "$root/bin"
tar -xzf "$archive" -C "$root/bin" --strip-components 1
`;
