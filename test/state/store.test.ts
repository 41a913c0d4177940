import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { freePortNow } from "../../processes/ports.ts";
import { storePlace, type StoreKey } from "../../config/store.ts";
import { credentials } from "../../state/store/credentials.ts";
import {
  artefactProblems,
  getArtefact,
  manifestOf,
  hashOfText,
  putArtefact,
  removeArtefact,
  storedText,
} from "../../state/store/artefact.ts";
import { s3Store } from "../../state/store/s3-store.ts";
import { openStore } from "../../state/store/open.ts";
import type { ArtefactStore } from "../../state/store/store.ts";
import { S3_KEY, startS3, type S3Stand } from "../support/s3.ts";

let s3: S3Stand;
let scratch: string;
beforeAll(async () => {
  s3 = await startS3();
  scratch = mkdtempSync(join(tmpdir(), "backout-store-"));
});
afterAll(async () => {
  await s3.stop();
  rmSync(scratch, { recursive: true, force: true });
});
beforeEach(() => s3.heal());

const PART_BYTES = 64 * 1024;
let serial = 0;
const place = (url: string) => storePlace(url) as Parameters<typeof s3Store>[0];
function inS3(key: StoreKey = S3_KEY, url = s3.url(`p${++serial}`)): ArtefactStore {
  return s3Store(place(url), key, { partBytes: PART_BYTES, pageKeys: 2 });
}

/** A folder as a dump or an evidence folder is: files of all sizes, odd names, a folder inside. */
const FILES: Record<string, Buffer> = {
  "toc.dat": Buffer.from("toc"),
  "empty.dat": Buffer.alloc(0),
  "big.dat.gz": Buffer.alloc(PART_BYTES * 3 + 17, "backout"),
  "inner/odd +100%~ü.csv": Buffer.from("a,b\r\n"),
};
function folderOf(files: Record<string, Buffer> = FILES): string {
  const folder = join(scratch, `folder-${++serial}`);
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(join(folder, name, ".."), { recursive: true });
    writeFileSync(join(folder, name), content);
  }
  return folder;
}
function contentOf(folder: string): Record<string, Buffer> {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return Object.fromEntries(
    files.map((entry) => join(entry.parentPath, entry.name)).map((file) => [file.slice(folder.length + 1), readFileSync(file)]),
  );
}
const target = (): string => join(scratch, `target-${++serial}`);

describe("what is wrong with the store is told with the fix", () => {
  test("a wrong key", async () => {
    for (const wrong of [
      { ...S3_KEY, secretAccessKey: "hunter2" },
      { ...S3_KEY, accessKeyId: "NOBODY" },
    ]) {
      const refused = inS3(wrong).check();
      await expect(refused).rejects.toThrow(
        /backout:store "s3:\/\/artefacts\/p\d+\?endpoint=.*": the access key is refused \(403 \w+\): .*remove backout:store/,
      );
      await refused.catch((error: Error) => expect(error.message).not.toContain("hunter2"));
    }
  });
  test("no key", async () => {
    const store = openStore({ store: "s3://artefacts", project: scratch });
    await expect(store).rejects.toThrow(/no access key: set AWS_ACCESS_KEY_ID .* config set --secret --path backout:storeKey.accessKeyId/);
  });
  test("no bucket", async () => {
    const store = inS3(S3_KEY, s3.url().replace("artefacts", "elsewhere"));
    await expect(store.check()).rejects.toThrow(/there is no bucket "elsewhere" \(404 NoSuchBucket\)/);
    await expect(store.sizeOf("x")).resolves.toBeNull();
    await expect(store.put("x", join(folderOf(), "toc.dat"))).rejects.toThrow(/there is no bucket/);
  });
  test("nobody answers", async () => {
    const store = inS3(S3_KEY, `s3://artefacts?endpoint=http://127.0.0.1:${await freePortNow()}`);
    await expect(store.check()).rejects.toThrow(/does not answer \(ECONNREFUSED\); or remove backout:store/);
  });
  test("no folder, and one that may not be written to", async () => {
    const missing = join(scratch, "not-mounted");
    const store = (await openStore({ store: `file://${missing}`, project: scratch }))!;
    await expect(store.check()).rejects.toThrow(/there is no folder .*not-mounted on this machine: mount it/);
    await expect(store.put("x", join(folderOf(), "toc.dat"))).rejects.toThrow(/there is no folder/);
    expect(existsSync(missing), "a share that is not mounted is not made").toBe(false);
  });
});

test("the stack's own key comes first, then the environment's, then the profile's", () => {
  const file = join(scratch, "credentials");
  writeFileSync(
    file,
    "[default]\naws_access_key_id = d\naws_secret_access_key = D\n\n[ops]\naws_access_key_id=o\naws_secret_access_key=O\naws_session_token=T\n",
  );
  const profile = { AWS_SHARED_CREDENTIALS_FILE: file };
  const environment = { ...profile, AWS_ACCESS_KEY_ID: "e", AWS_SECRET_ACCESS_KEY: "E", AWS_SESSION_TOKEN: "" };
  expect(credentials(S3_KEY, environment)).toEqual(S3_KEY);
  expect(credentials(undefined, environment)).toEqual({ accessKeyId: "e", secretAccessKey: "E" });
  expect(credentials(undefined, profile)).toEqual({ accessKeyId: "d", secretAccessKey: "D" });
  expect(credentials(undefined, { ...profile, AWS_PROFILE: "ops" })).toEqual({ accessKeyId: "o", secretAccessKey: "O", sessionToken: "T" });
  expect(credentials(undefined, { ...profile, AWS_PROFILE: "gone" })).toBeNull();
  expect(credentials(undefined, { HOME: scratch, AWS_ACCESS_KEY_ID: "e" })).toBeNull();
});

const KINDS = {
  "an S3 bucket": () => {
    const prefix = `p${++serial}`;
    return { store: inS3(S3_KEY, s3.url(prefix)), fileOf: (key: string) => s3.fileOf(`${prefix}/${key}`) };
  },
  "a folder": async () => {
    const folder = join(scratch, `store-${++serial}`);
    mkdirSync(folder);
    const store = (await openStore({ store: `file://${folder}`, project: scratch }))!;
    return { store, fileOf: (key: string) => join(folder, key) };
  },
};

describe.for(Object.entries(KINDS))("an artefact in %s", ([, make]) => {
  test.for([
    ["truncated", (file: string) => truncateSync(file, 5), /big\.dat\.gz has 5 bytes, not/],
    ["changed", (file: string) => writeFileSync(file, Buffer.alloc(FILES["big.dat.gz"]!.length, "x")), /big\.dat\.gz was changed/],
    ["gone", (file: string) => rmSync(file), /big\.dat\.gz is missing/],
  ] as const)("one of its objects is %s: nothing of it is kept", async ([, damage, reason], { expect }) => {
    const { store, fileOf } = await make();
    const { sha256 } = await putArtefact(store, "a/1", folderOf());
    damage(fileOf("a/1/files/big.dat.gz"));
    const to = target();
    await expect(getArtefact(store, "a/1", sha256, to)).rejects.toThrow(reason);
    expect(readdirSync(scratch).filter((name) => join(scratch, name).startsWith(to))).toEqual([]);
    expect((await artefactProblems(store, "a/1", sha256)).join()).toMatch(reason);
  });

  test("its manifest is changed, or gone", async () => {
    const { store, fileOf } = await make();
    const { sha256 } = await putArtefact(store, "a/1", folderOf());
    const text = readFileSync(fileOf("a/1/artefact.json"), "utf8");
    writeFileSync(fileOf("a/1/artefact.json"), text.replace("toc.dat", "tic.dat"));
    await expect(getArtefact(store, "a/1", sha256, target())).rejects.toThrow(/artefact\.json was changed/);
    await store.remove("a/1/artefact.json");
    await expect(getArtefact(store, "a/1", sha256, target())).rejects.toThrow(/artefact\.json is missing/);
    expect(await artefactProblems(store, "a/1", sha256)).toEqual(["artefact.json is missing"]);
  });

  test("killed between data and manifest, it is not there, and the next attempt makes it whole", async () => {
    const { store } = await make();
    const killed = { ...store, putText: () => Promise.reject(new Error("killed")) };
    const folder = folderOf();
    await expect(putArtefact(killed, "a/1", folder)).rejects.toThrow("killed");
    expect(await store.sizeOf("a/1/artefact.json")).toBeNull();
    const { sha256 } = await putArtefact(store, "a/2", folder);
    await removeArtefact(store, "a", "a/2");
    expect((await store.list("a/")).every((key) => key.startsWith("a/2/"))).toBe(true);
    const to = target();
    await getArtefact(store, "a/2", sha256, to);
    expect(contentOf(to)).toEqual(FILES);
  });

  test("comes back as it was: all files, a single one, and one that is read alone", async () => {
    const { store } = await make();
    await store.check();
    const folder = folderOf();
    const { sha256, sizeBytes } = await putArtefact(store, "a/1", folder);
    expect(sizeBytes).toBe(Object.values(FILES).reduce((sum, { length }) => sum + length, 0));
    expect(hashOfText(await manifestOf(folder)), "the manifest says only what the files are").toBe(sha256);
    const to = target();
    await getArtefact(store, "a/1", sha256, to);
    expect(contentOf(to)).toEqual(FILES);
    expect(statSync(join(to, "toc.dat")).mode & 0o777).toBe(0o600);
    expect(await artefactProblems(store, "a/1", sha256)).toEqual([]);
    expect(await storedText(store, "a/1", sha256, "toc.dat")).toBe("toc");
    expect(await storedText(store, "a/1", sha256, "tic.dat")).toBeNull();
    await store.put("q/what's (it)!*.csv", join(folder, "toc.dat"));
    expect(await store.sizeOf("q/what's (it)!*.csv")).toBe(3);
    const single = await putArtefact(store, "b/1", join(folder, "toc.dat"));
    const file = target();
    await getArtefact(store, "b/1", single.sha256, file);
    expect(readFileSync(file, "utf8")).toBe("toc");
  });

  test("is fetched once where two ask for it, and is removed without what lies beside it", async () => {
    const { store } = await make();
    const { sha256 } = await putArtefact(store, "a/1", folderOf());
    await putArtefact(store, "a/10", folderOf());
    const to = target();
    await Promise.all([getArtefact(store, "a/1", sha256, to), getArtefact(store, "a/1", sha256, to)]);
    expect(contentOf(to)).toEqual(FILES);
    await removeArtefact(store, "a/1");
    await removeArtefact(store, "a/1");
    expect(await store.list("a/1/")).toEqual([]);
    expect(await store.list("a/")).toHaveLength(Object.keys(FILES).length + 1);
  });
});

test("a folder's mode is that of everything in the store", async () => {
  const folder = join(scratch, "of-a-group");
  mkdirSync(folder);
  chmodSync(folder, 0o770);
  const store = (await openStore({ store: `file://${folder}`, project: scratch }))!;
  await store.put("a/b", join(folderOf(), "toc.dat"));
  expect([statSync(join(folder, "a")).mode & 0o777, statSync(join(folder, "a", "b")).mode & 0o777]).toEqual([0o770, 0o660]);
});

describe("over a network that fails", () => {
  const isPart = (asked: string): boolean => asked.includes("partNumber=2");
  test("a connection that is cut in the middle of an upload is tried again, and what is overloaded, too", async () => {
    const store = inS3();
    s3.fail(isPart, "cut");
    s3.fail((asked) => asked.startsWith("PUT") && asked.includes("toc.dat"), 503, 2);
    s3.fail((asked) => asked.startsWith("GET") && asked.includes("big.dat"), "cut");
    const { sha256 } = await putArtefact(store, "a/1", folderOf());
    const to = target();
    await getArtefact(store, "a/1", sha256, to);
    expect(contentOf(to)).toEqual(FILES);
  });

  test("one that is cut every time ends the upload: no manifest, and no parts are left", async () => {
    const store = inS3();
    s3.fail(isPart, "cut", 99);
    s3.seen.asked.length = 0;
    await expect(putArtefact(store, "a/1", folderOf())).rejects.toThrow(/does not answer/);
    expect(await store.sizeOf("a/1/artefact.json")).toBeNull();
    expect(
      s3.seen.asked.filter((asked) => asked.startsWith("DELETE") && asked.includes("uploadId=")),
      "given up",
    ).toHaveLength(1);
  });

  test("no body is larger than a part, and each is what its signature says", () => {
    expect(s3.seen.largest).toBe(PART_BYTES);
    expect(s3.seen.wrong).toEqual([]);
  });
});
