/** A store in a bucket of S3, or of a service that speaks its protocol. Every request is signed with the hash of what it sends. */
import { AwsClient } from "aws4fetch";
import { createHash } from "node:crypto";
import { open } from "node:fs/promises";
import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { storeName, type StoreKey, type StorePlace } from "../../config/store.ts";
import { StoreError, StoreObjectMissingError, WITHOUT, type ArtefactStore, type Sent } from "./store.ts";

/** A larger file is sent in parts, each of which is read into memory. */
const PART_BYTES = 8 * 1_048_576;
/** S3 takes 10,000 parts a file. */
const PARTS = 9_000;
/** Keys that one listing returns. */
const PAGE_KEYS = 1_000;
const TRIES = 4;
const FIRST_PAUSE_MS = 200;

type Method = "GET" | "HEAD" | "PUT" | "POST" | "DELETE";
/** For an answer to anything but the sending and fetching of files, and how often it is waited for before a rollout. */
const ANSWER_MS = 10_000;
const CHECK_TRIES = 2;

interface Asked {
  query?: Record<string, string>;
  body?: Buffer;
  tries?: number;
}
interface Answered {
  answer: Response;
  /** Empty where it was not asked for: then the body is still to be read. */
  text: string;
}

/** @param sizes smaller ones, for tests */
export function s3Store(
  place: StorePlace & { kind: "s3" },
  key: StoreKey,
  { partBytes = PART_BYTES, pageKeys = PAGE_KEYS } = {},
): ArtefactStore {
  const name = storeName(place);
  const region = place.region ?? (process.env["AWS_REGION"] || process.env["AWS_DEFAULT_REGION"] || "us-east-1");
  const client = new AwsClient({ ...key, service: "s3", region });
  const base = addressOf(place, region);
  const under = place.prefix === "" ? "" : `${place.prefix}/`;

  /** Answers of 2xx and 404; everything else is an error. What a network or an overloaded service drops is sent again. */
  const ask = async (method: Method, object: string, { query = {}, body, tries = TRIES }: Asked, whole: boolean): Promise<Answered> => {
    const url = new URL(`${base}${pathOf(object)}`);
    for (const [parameter, value] of Object.entries(query)) url.searchParams.set(parameter, value);
    const headers = { "x-amz-content-sha256": sha256(body ?? Buffer.alloc(0)) };
    for (let attempt = 1; ; attempt++) {
      const request = await client.sign(url, { method, headers, ...(body === undefined ? {} : { body: new Uint8Array(body) }) });
      const limit = whole && body === undefined ? { signal: AbortSignal.timeout(ANSWER_MS) } : {};
      const answered = await fetch(request, { redirect: "manual", ...limit })
        .then(async (answer): Promise<Answered> => ({ answer, text: whole || !answer.ok ? await answer.text() : "" }))
        .catch((error: unknown) => error as Error);
      const passing = answered instanceof Error || answered.answer.status >= 500 || answered.answer.status === 429;
      if (passing && attempt < tries) {
        await sleep(FIRST_PAUSE_MS * 2 ** (attempt - 1));
        continue;
      }
      if (answered instanceof Error)
        throw new StoreError(name, `${base} does not answer (${reasonOf(answered)}); ${WITHOUT}`, { cause: answered });
      const { answer, text } = answered;
      if (answer.ok) return answered;
      const code = /<Code>([^<]*)<\/Code>/.exec(text)?.[1] ?? "";
      if (answer.status === 404 && code !== "NoSuchBucket") return answered;
      throw new StoreError(name, refusal(answer, code, place.bucket, region));
    }
  };
  const send = async (method: Method, object: string, asked: Asked = {}): Promise<Response> =>
    (await ask(method, object, asked, false)).answer;
  const found = (answer: Response): Response => {
    if (answer.status === 404) throw new StoreObjectMissingError(name, new URL(answer.url).pathname);
    return answer;
  };
  const done = async (answer: Promise<Response>): Promise<Response> => found(await answer);
  const textOf = async (method: Method, object: string, asked: Asked = {}): Promise<string> => {
    const { answer, text } = await ask(method, object, asked, true);
    found(answer);
    return text;
  };

  const putParts = async (object: string, chunks: AsyncIterable<Buffer>): Promise<void> => {
    const uploadId = tag(await textOf("POST", object, { query: { uploads: "" } }), "UploadId");
    try {
      const parts: string[] = [];
      for await (const body of chunks) {
        const partNumber = parts.length + 1;
        const answer = await done(send("PUT", object, { query: { partNumber: String(partNumber), uploadId }, body }));
        await answer.body?.cancel();
        parts.push(`<Part><PartNumber>${partNumber}</PartNumber><ETag>${answer.headers.get("etag") ?? ""}</ETag></Part>`);
      }
      const body = Buffer.from(`<CompleteMultipartUpload>${parts.join("")}</CompleteMultipartUpload>`);
      // An answer of 200 may hold an error: the service answers before it has put the parts together.
      const said = await textOf("POST", object, { query: { uploadId }, body });
      if (said.includes("<Error>")) throw new StoreError(name, `${object} was not put together: ${tag(said, "Code")}`);
    } catch (error) {
      await send("DELETE", object, { query: { uploadId } }).catch(() => undefined);
      throw error;
    }
  };

  const put = async (object: string, file: string): Promise<Sent> => {
    const handle = await open(file, "r");
    try {
      const { size } = await handle.stat();
      const hash = createHash("sha256");
      let sizeBytes = 0;
      const chunkBytes = Math.max(partBytes, Math.ceil(size / PARTS));
      const next = async (): Promise<Buffer> => {
        const buffer = Buffer.allocUnsafe(Math.min(chunkBytes, size - sizeBytes));
        let filled = 0;
        while (filled < buffer.length) {
          const { bytesRead } = await handle.read(buffer, filled, buffer.length - filled);
          if (bytesRead === 0) throw new Error(`${file} became shorter while it was sent`);
          filled += bytesRead;
        }
        hash.update(buffer);
        sizeBytes += buffer.length;
        return buffer;
      };
      if (size <= chunkBytes) await (await done(send("PUT", under + object, { body: await next() }))).body?.cancel();
      else
        await putParts(
          under + object,
          (async function* () {
            while (sizeBytes < size) yield await next();
          })(),
        );
      return { sizeBytes, sha256: hash.digest("hex") };
    } finally {
      await handle.close();
    }
  };

  const listed = async (prefix: string, most = Infinity, tries = TRIES): Promise<string[]> => {
    const keys: string[] = [];
    for (;;) {
      const query: Record<string, string> = { "max-keys": String(Math.min(most, pageKeys)), prefix: under + prefix };
      if (keys.length > 0) query["marker"] = under + keys.at(-1)!;
      const page = await textOf("GET", "", { query, tries });
      for (const [, found] of page.matchAll(/<Contents>.*?<Key>([^<]*)<\/Key>/gs)) keys.push(unescaped(found!).slice(under.length));
      if (keys.length >= most || tag(page, "IsTruncated") !== "true") return keys;
    }
  };

  return {
    name,
    check: async () => {
      await listed("", 1, CHECK_TRIES);
    },
    put,
    putText: async (object, text) => {
      await (await done(send("PUT", under + object, { body: Buffer.from(text) }))).body?.cancel();
    },
    get: async (object) => {
      const answer = await send("GET", under + object);
      if (answer.status === 404 || answer.body === null) throw new StoreObjectMissingError(name, object);
      return Readable.fromWeb(answer.body as Parameters<typeof Readable.fromWeb>[0]);
    },
    sizeOf: async (object) => {
      const answer = await send("HEAD", under + object);
      return answer.status === 404 ? null : Number(answer.headers.get("content-length"));
    },
    list: (prefix) => listed(prefix),
    remove: async (object) => {
      await (await send("DELETE", under + object)).body?.cancel();
    },
  };
}

/** Another service than AWS has its buckets below one host; AWS has a host for each, except where a dot in the name breaks its certificate. */
function addressOf({ bucket, endpoint }: { bucket: string; endpoint: string | null }, region: string): string {
  if (endpoint !== null) return `${endpoint}/${bucket}`;
  return bucket.includes(".") ? `https://s3.${region}.amazonaws.com/${bucket}` : `https://${bucket}.s3.${region}.amazonaws.com`;
}

function pathOf(object: string): string {
  const encoded = (part: string): string =>
    encodeURIComponent(part).replaceAll(/[!'()*]/g, (odd) => `%${odd.charCodeAt(0).toString(16).toUpperCase()}`);
  return object === "" ? "" : `/${object.split("/").map(encoded).join("/")}`;
}

function refusal(answer: Response, code: string, bucket: string, region: string): string {
  const said = `${answer.status}${code === "" ? "" : ` ${code}`}`;
  const other = answer.headers.get("x-amz-bucket-region");
  if (answer.status === 404) return `there is no bucket "${bucket}" (${said}): make it, or name another; ${WITHOUT}`;
  if (answer.status === 301 || code === "AuthorizationHeaderMalformed" || code === "PermanentRedirect")
    return `the bucket is not in region ${region} (${said}): add ?region=${other ?? "…"} to the url`;
  if (answer.status === 403 || answer.status === 401)
    return `the access key is refused (${said}): it must be one of this service, with the right to list, read, write and delete in the bucket; ${WITHOUT}`;
  return `it answers ${said}; ${WITHOUT}`;
}

function reasonOf(error: Error): string {
  const { cause } = error as { cause?: { code?: string; message?: string } };
  return cause?.code ?? cause?.message ?? error.message;
}

function tag(xml: string, name: string): string {
  return new RegExp(`<${name}>([^<]*)</${name}>`).exec(xml)?.[1] ?? "";
}

function unescaped(text: string): string {
  const named: Record<string, string> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };
  return text.replaceAll(/&(?:#x([0-9a-f]+)|#(\d+)|(\w+));/gi, (whole, hex?: string, number?: string, name?: string) =>
    name === undefined ? String.fromCodePoint(hex === undefined ? Number(number) : Number.parseInt(hex, 16)) : (named[name] ?? whole),
  );
}

function sha256(body: Buffer): string {
  return createHash("sha256").update(body).digest("hex");
}
