/** A plain program on a host: what it declares is a list in a file, so that a test changes it. */
import { readFileSync } from "node:fs";
import { local, remote } from "@pulumi/command";
import { asset, Config, secret, type CustomResource, type CustomResourceOptions, type Output } from "@pulumi/pulumi";

export interface Declared {
  type: "local" | "remote" | "copy";
  name: string;
  args: Record<string, unknown>;
  /** Inputs that are secrets. */
  secrets?: string[];
  /** Of a copy: what is copied, one of them. */
  source?: { folder: string } | { file: string } | { text: string };
  /** Names of what comes before. */
  after?: string[];
  deleteBeforeReplace?: boolean;
}

const config = new Config("peer");
const list = JSON.parse(readFileSync(config.require("resources"), "utf8")) as Declared[];
const privateKey = readFileSync(config.require("key"), "utf8");

const CLASSES = { local: local.Command, remote: remote.Command, copy: remote.CopyToRemote } as unknown as Record<
  Declared["type"],
  new (name: string, args: object, opts: CustomResourceOptions) => CustomResource & { stdout: Output<string>; stderr: Output<string> }
>;

const sourceOf = (source: NonNullable<Declared["source"]>): object =>
  "folder" in source
    ? new asset.FileArchive(source.folder)
    : "file" in source
      ? new asset.FileAsset(source.file)
      : new asset.StringAsset(source.text);

const made = new Map<string, CustomResource>();
const said: Record<string, unknown> = {};
for (const { type, name, args, secrets = [], source, after = [], deleteBeforeReplace = false } of list) {
  const inputs = { ...args };
  for (const key of secrets) inputs[key] = secret(inputs[key]);
  // The key is given as any text: the provider's package makes a secret of it.
  if (type !== "local") inputs["connection"] = { privateKey, ...(args["connection"] as object) };
  if (source !== undefined) inputs["source"] = sourceOf(source);
  const resource = new CLASSES[type](name, inputs, { dependsOn: after.map((each) => made.get(each)!), deleteBeforeReplace });
  made.set(name, resource);
  if (type !== "copy") said[name] = { stdout: resource.stdout, stderr: resource.stderr };
}

export { said };
