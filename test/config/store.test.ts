import { expect, test } from "vitest";
import type { ConfigErrors } from "../../config/errors.ts";
import { parseConfig } from "../../config/parse.ts";
import { requireEncryptedKey } from "../../config/secret-config.ts";
import { storeName, storePlace, storeProblem } from "../../config/store.ts";

test.for([
  ["artefacts", /must be a url/],
  ["gs://bucket/prefix", /`gs` stores are not supported: supported are `s3:\/\//],
  ["azblob://container", /`azblob` stores are not supported/],
  ["https://bucket.s3.amazonaws.com", /`https` stores are not supported/],
  ["s3:///prefix", /names no bucket/],
  ["s3://Bucket_1/x", /is no name of a bucket/],
  ["s3://bucket/x?regoin=eu-west-1", /unknown parameter `regoin`; known are region and endpoint/],
  ["s3://bucket/x?endpoint=minio:9000", /endpoint must begin with `https:\/\/` or `http:\/\/`/],
  ["s3://id:key@bucket/x", /must hold neither keys/],
  ["file://shared/folder", /three slashes/],
  ["file:///", /must name a folder/],
] as const)("%s is refused", ([url, reason]) => {
  expect(storeProblem(url)).toMatch(reason);
});

test("a store is named without what is no part of the place", () => {
  expect(storePlace("s3://bucket/a/b/?region=eu-west-1&endpoint=http://127.0.0.1:9000/")).toEqual({
    kind: "s3",
    bucket: "bucket",
    prefix: "a/b",
    region: "eu-west-1",
    endpoint: "http://127.0.0.1:9000",
  });
  expect(storeName(storePlace("s3://bucket/a?region=eu-west-1"))).toBe("s3://bucket/a");
  expect(storeName(storePlace("s3://bucket?endpoint=https://s3.example"))).toBe("s3://bucket?endpoint=https://s3.example");
  expect(storeName(storePlace("file:///shared/folder/"))).toBe("file:///shared/folder");
});

const RAW = {
  "backout:releases": '{"v1":{"services":{}}}',
  "backout:release": "v1",
};
function errorOf(raw: Record<string, unknown>, secret: string[] = []) {
  try {
    parseConfig({ ...RAW, ...raw }, secret);
  } catch (error) {
    return (error as ConfigErrors).errors[0]!;
  }
  throw new Error("it was accepted");
}

test("errors name key, value and what is allowed, and show no key", () => {
  expect(errorOf({ "backout:store": "gs://bucket" })).toMatchObject({ key: "backout:store", value: "gs://bucket" });
  expect(errorOf({ "backout:store": "s3://AKIA:hunter2@bucket" }).message).not.toContain("hunter2");
  expect(errorOf({ "backout:storeKey": '{"accessKeyId":"a","secretAccesKey":"hunter2"}' }).message).not.toContain("hunter2");
  expect(errorOf({ "backout:storeKey": "hunter2" }).message).not.toContain("hunter2");
});

test("an access key in plain text is refused with the command that encrypts it", () => {
  expect(() => requireEncryptedKey(true, [], "/nowhere")).toThrow(
    /storeKey.*\(not shown\).*plain text.*config set --secret --path backout:storeKey/,
  );
  expect(() => requireEncryptedKey(true, ["storeKey"], "/nowhere")).not.toThrow();
  expect(() => requireEncryptedKey(false, [], "/nowhere")).not.toThrow();
});
