/** An S3 server of its own on 127.0.0.1 that checks signatures, behind a door that compares every body with its hash and can cut connections. */
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, request, type IncomingMessage } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

interface Server {
  run(): Promise<AddressInfo>;
  close(): Promise<void>;
}
const S3rver = createRequire(import.meta.url)("@20minutes/s3rver") as new (options: object) => Server;

/** The only key that the server knows. */
export const S3_KEY = { accessKeyId: "S3RVER", secretAccessKey: "S3RVER" };

export type S3Stand = Awaited<ReturnType<typeof startS3>>;

export async function startS3(bucket = "artefacts") {
  const directory = mkdtempSync(join(tmpdir(), "backout-s3-"));
  const server = new S3rver({
    ...{ port: 0, address: "127.0.0.1", silent: true, directory, allowMismatchedSignatures: false },
    configureBuckets: [{ name: bucket }],
  });
  const { port } = await server.run();
  const seen = { largest: 0, asked: [] as string[], wrong: [] as string[] };
  /** What becomes of the next requests: a number is answered as a status, `cut` ends the connection in the middle. */
  const faults: { of: (asked: string) => boolean; with: number | "cut" }[] = [];

  const bodyOf = async (incoming: IncomingMessage, most: number): Promise<Buffer> => {
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of incoming as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      if ((size += chunk.length) > most) break;
    }
    return Buffer.concat(chunks);
  };
  const door = createServer((incoming, answer) => {
    const { socket } = incoming;
    void (async () => {
      const asked = `${incoming.method} ${incoming.url}`;
      seen.asked.push(asked);
      const index = faults.findIndex((fault) => fault.of(asked));
      const fault = index === -1 ? undefined : faults.splice(index, 1)[0]!.with;
      if (fault === "cut" && incoming.method !== "GET") {
        await bodyOf(incoming, 100);
        socket.destroy();
        return;
      }
      const body = await bodyOf(incoming, Infinity);
      if (typeof fault === "number") {
        answer.writeHead(fault).end();
        return;
      }
      seen.largest = Math.max(seen.largest, body.length);
      if (createHash("sha256").update(body).digest("hex") !== incoming.headers["x-amz-content-sha256"]) seen.wrong.push(asked);
      const { host, ...headers } = incoming.headers;
      const onward = request({ port, method: incoming.method, path: incoming.url, headers: { ...headers, host } }, (said) => {
        answer.writeHead(said.statusCode!, said.headers);
        if (fault === "cut")
          said.once("data", (chunk: Buffer) => {
            answer.write(chunk.subarray(0, chunk.length / 2), () => answer.destroy());
            said.destroy();
          });
        else said.pipe(answer);
      });
      onward.on("error", () => answer.destroy());
      onward.end(body);
    })().catch(() => socket.destroy());
  });
  await new Promise<void>((resolve) => door.listen(0, "127.0.0.1", resolve));
  const endpoint = `http://127.0.0.1:${(door.address() as AddressInfo).port}`;
  return {
    endpoint,
    url: (prefix = ""): string => `s3://${bucket}${prefix === "" ? "" : `/${prefix}`}?region=eu-central-1&endpoint=${endpoint}`,
    /** The file in which the server keeps an object. */
    fileOf: (key: string): string => join(directory, bucket, `${key}._S3rver_object`),
    folder: join(directory, bucket),
    seen,
    /** The next `times` requests of which this is true fail. */
    fail: (of: (asked: string) => boolean, how: number | "cut", times = 1): void => {
      for (let time = 0; time < times; time++) faults.push({ of, with: how });
    },
    heal: (): void => void faults.splice(0),
    stop: async (): Promise<void> => {
      door.closeAllConnections();
      await new Promise((resolve) => door.close(resolve));
      await server.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
