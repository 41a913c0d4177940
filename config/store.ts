/** The url of the artefact store: what it may be, and what it says. Pure. */
import { fileURLToPath } from "node:url";

export type StorePlace =
  | { kind: "file"; folder: string }
  | {
      kind: "s3";
      bucket: string;
      /** Without slashes at its ends; empty: none. */
      prefix: string;
      /** Null: that of the environment. */
      region: string | null;
      /** Of another service than AWS: with protocol, without a slash at its end. */
      endpoint: string | null;
    };

/** An access key of an S3 service. */
export interface StoreKey {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string;
}

const SUPPORTED = "supported are `s3://bucket/prefix?region=…&endpoint=…` and `file:///shared/folder`";
const BUCKET = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;

/** What is wrong with a url, and what is allowed; null: nothing. */
export function storeProblem(url: string): string | null {
  const place = read(url);
  return typeof place === "string" ? place : null;
}

/** @throws for a url that `storeProblem` refuses */
export function storePlace(url: string): StorePlace {
  const place = read(url);
  if (typeof place === "string") throw new Error(`backout:store: "${url}": ${place}`);
  return place;
}

/** The place as it is shown and recorded: equal for equal places, without what is no part of the place. */
export function storeName(place: StorePlace): string {
  if (place.kind === "file") return `file://${place.folder}`;
  const { bucket, prefix, endpoint } = place;
  return `s3://${bucket}${prefix === "" ? "" : `/${prefix}`}${endpoint === null ? "" : `?endpoint=${endpoint}`}`;
}

function read(url: string): StorePlace | string {
  if (!URL.canParse(url)) return `must be a url: ${SUPPORTED}`;
  const parsed = new URL(url);
  const scheme = parsed.protocol.slice(0, -1);
  if (scheme !== "s3" && scheme !== "file") return `\`${scheme}\` stores are not supported: ${SUPPORTED}`;
  if (parsed.username !== "" || parsed.password !== "" || parsed.hash !== "")
    return "must hold neither keys nor `#`: keys belong in the environment or in `backout:storeKey`";
  return scheme === "s3" ? readS3(parsed) : readFile(parsed);
}

function readFile(url: URL): StorePlace | string {
  if (url.host !== "" || url.search !== "") return "must be `file://` and an absolute path, with three slashes: `file:///shared/folder`";
  const folder = fileURLToPath(url).replace(/\/+$/, "");
  return folder === "" ? "must name a folder: `file:///shared/folder`" : { kind: "file", folder };
}

function readS3(url: URL): StorePlace | string {
  const bucket = url.host;
  if (bucket === "") return "names no bucket: `s3://bucket/prefix`";
  if (!BUCKET.test(bucket)) return `"${bucket}" is no name of a bucket: 3 to 63 small letters, digits, dots and hyphens`;
  const unknown = [...url.searchParams.keys()].find((key) => key !== "region" && key !== "endpoint");
  if (unknown !== undefined) return `unknown parameter \`${unknown}\`; known are region and endpoint`;
  const prefix = decodeURIComponent(url.pathname).replaceAll(/^\/+|\/+$/g, "");
  if (prefix.split("/").some((part) => part === "..")) return "its prefix must not contain `..`";
  const endpoint = url.searchParams.get("endpoint");
  const bare = endpoint?.replace(/\/+$/, "") ?? null;
  if (bare !== null && !(URL.canParse(bare) && /^https?:$/.test(new URL(bare).protocol)))
    return "its endpoint must begin with `https://` or `http://`";
  return { kind: "s3", bucket, prefix, region: url.searchParams.get("region"), endpoint: bare };
}
