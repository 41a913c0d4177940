/**
 * @pulumi/command on the real engine, a real sshd and a real pm2: what a program that reaches a host by it can rely on. The provider is the
 * real one where this machine has it, else the stand-in, which does the same.
 */
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import ssh2 from "ssh2";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { missingPm2 } from "../peers/pm2.ts";
import { missingAgent, startAgent } from "../peers/ssh-agent.ts";
import { missingSshd } from "../peers/sshd.ts";
import { freePort } from "../support/free-port.ts";
import type { Declared } from "./command-peer/index.ts";
import { makeCommandStand, type CommandStand } from "./command-peer/stand.ts";
import { filesBelow } from "./stand/base.ts";

const MISSING = missingSshd();

let stand: CommandStand;
beforeAll(async () => {
  if (MISSING === null) stand = await makeCommandStand();
});
beforeEach((context) => {
  if (MISSING !== null) context.skip(MISSING);
});
afterAll(() => stand?.destroy());

describe("a host that cannot be used fails the resource by what is wrong", () => {
  test.each<[what: string, change: () => Promise<Record<string, unknown>>, told: RegExp]>([
    [
      "nobody answers",
      async () => ({ port: await freePort() }),
      /after 0 failed attempts: dial tcp 127\.0\.0\.1:\d+: connect: connection refused/,
    ],
    [
      "nobody answers, twice",
      async () => ({ port: await freePort(), dialErrorLimit: 1 }),
      /after 1 failed attempts: dial tcp 127\.0\.0\.1:\d+: connect: connection refused/,
    ],
    [
      "the key is refused",
      async () => ({ privateKey: ssh2.utils.generateKeyPairSync("ed25519").private }),
      /ssh: handshake failed: ssh: unable to authenticate, attempted methods \[none publickey\]/,
    ],
    ["the key is none", async () => ({ privateKey: "nothing" }), /ssh: .*key/],
    [
      "the host's key differs",
      async () => ({ hostKey: ssh2.utils.generateKeyPairSync("ed25519").public }),
      /ssh: handshake failed: ssh: host key mismatch/,
    ],
    ["the agent is not there", async () => ({ agentSocketPath: join(stand.folder, "no-agent") }), /dial unix .*no-agent: .*no such file/],
  ])("%s", async (_what, change, told) => {
    const { connection, up, inState, onHost, remote, copy } = stand;
    const changed = { ...connection, ...(await change()) };
    const { code, output } = await up(
      remote("never", { connection: changed, create: "touch never" }),
      copy("copied", "never", { text: "never" }, { connection: changed }),
    );
    expect(code).not.toBe(0);
    expect(output).toMatch(told);
    // Both resources say it.
    expect(output.match(new RegExp(told, "g"))?.length).toBeGreaterThanOrEqual(2);
    expect(existsSync(onHost("never"))).toBe(false);
    expect(await inState()).not.toContain("::never");
  });
});

describe("a command on a host", () => {
  test("that fails half-way says what it said and how it ended, and is made again by the next update", async () => {
    const { up, upWell, said, inState, onHost, remote } = stand;
    const half = (more: string) => remote("half", { create: `echo begun; echo and ill >&2; touch half; ${more}` });
    const { code, output } = await up(half("exit 7; touch whole"));
    expect(code).not.toBe(0);
    expect(output).toMatch(/Process exited with status 7: running ".*exit 7; touch whole":/);
    expect(output).toMatch(/begun/);
    expect(output).toMatch(/and ill/);
    expect([existsSync(onHost("half")), existsSync(onHost("whole"))]).toEqual([true, false]);
    expect(await inState()).not.toContain("::half");

    expect(await upWell(half("touch whole"))).toMatch(/half created/);
    expect(await said()).toEqual({ half: { stdout: "begun", stderr: "and ill" } });
    // An update that fails leaves what was said before, and the delete fails by its own words.
    const failing = await up(remote("half", { create: "exit 1", update: "echo gone; exit 8", delete: "exit 9" }));
    expect(failing.output).toMatch(/Process exited with status 8: running "echo gone; exit 8":\s+gone/);
    expect(await inState()).toContain('"stdout": "begun"');
    await upWell(remote("half", { create: "true", delete: "echo cannot; exit 9" }));
    expect((await up()).output).toMatch(/Process exited with status 9: running "echo cannot; exit 9":\s+cannot/);
    await upWell(remote("half", { create: "true", delete: "rm half whole" }));
    await upWell();
    expect(existsSync(onHost("half"))).toBe(false);
  });

  test("gets standard input, variables the host accepts, and what it said before; one that is refused fails", async () => {
    const { up, upWell, said, onHost, remote } = stand;
    const line = 'echo "$SHOP_A|$PULUMI_COMMAND_STDOUT"; cat >&2; echo >&2; echo';
    const args = { create: line, stdin: "given", environment: { SHOP_A: "one" } };
    await upWell(remote("env", args));
    // One end of a line goes, as of a shell's substitution all do.
    expect(await said()).toEqual({ env: { stdout: "one|\n", stderr: "given" } });
    // The host accepts no variable of that name: it is told, and goes on without.
    const output = await upWell(remote("env", { ...args, stdin: "other" }));
    expect(output).toMatch(/Unable to set 'PULUMI_COMMAND_STDOUT'.*AcceptEnv/s);
    expect(await said()).toEqual({ env: { stdout: "one|\n", stderr: "other" } });
    const silent = await upWell(remote("env", { ...args, addPreviousOutputInEnv: false }));
    expect(silent).not.toMatch(/Unable to set/);

    const refused = await up(remote("refused", { create: "touch refused", environment: { SHOP_A: "1", HOUSE: "2" } }));
    expect(refused.code).not.toBe(0);
    expect(refused.output).toMatch(/could not set environment variable "HOUSE"/);
    expect(existsSync(onHost("refused"))).toBe(false);
  });

  test("is replaced by a trigger: the new one runs before the old one's end, unless the old one is deleted first", async () => {
    const { upWell, read, remote } = stand;
    const counted = (trigger: string, deleteBeforeReplace: boolean): Declared =>
      remote(
        "counted",
        {
          create: `echo begin ${trigger} >> counted`,
          update: "echo update >> counted",
          delete: `echo end ${trigger} >> counted`,
          triggers: [trigger],
        },
        { deleteBeforeReplace },
      );
    await upWell(counted("one", false));
    await upWell(counted("two", false));
    await upWell(counted("three", true));
    await upWell();
    expect(read("counted").trim().split("\n")).toEqual(["begin one", "begin two", "end one", "end two", "begin three", "end three"]);
  });
});

test("a login is by an agent, by a key with a password, and by way of another host", async (context) => {
  const missing = missingAgent();
  if (missing !== null) return context.skip(missing);
  const { folder, host, key, connection, up, upWell, said, inState, remote } = stand;
  const agent = await startAgent(join(folder, "agent"), key);
  try {
    const encrypted = ssh2.utils.generateKeyPairSync("ed25519", { cipher: "aes256-ctr", rounds: 16, passphrase: "open sesame" });
    host.authorize(encrypted.public);
    const locked = { privateKey: encrypted.private, privateKeyPassword: "open sesame" };
    const proxy = { ...connection, ...locked };
    const create = 'echo "$SSH_CONNECTION"';
    const logins = [
      remote("by-agent", { create, connection: { ...connection, privateKey: null, agentSocketPath: agent.socket } }),
      remote("by-locked", { create, connection: { ...connection, ...locked } }),
      remote("by-proxy", { create, connection: { ...connection, proxy } }),
    ];
    await upWell(...logins);
    for (const { stdout } of Object.values(await said())) expect(stdout).toMatch(new RegExp(`^127.0.0.1 \\d+ 127.0.0.1 ${host.port}$`));
    const { output } = await up(
      remote("locked", { create, connection: { ...connection, ...locked, privateKeyPassword: "wrong" } }),
      remote("proxied", { create, connection: { ...connection, proxy: { ...proxy, port: await freePort() } } }),
      remote("between", { create, connection: { ...connection, port: await freePort(), proxy } }),
    );
    expect(output).toMatch(/proxy: after 0 failed attempts: dial tcp 127\.0\.0\.1:\d+: connect: connection refused/);
    expect(output).toMatch(/proxy: after 0 failed attempts: ssh: rejected: connect failed \(Connection refused\)/);
    expect(await inState()).not.toMatch(/::(locked|proxied|between)"/);
    expect(await inState()).not.toContain("open sesame");
    await upWell();
  } finally {
    await agent.stop();
  }
});

test("a copy puts a file, a text and a folder where the real one puts them", async () => {
  const { connection, up, upWell, onHost, read, treeOf, local, copy } = stand;
  const from = local("tree", { "a.txt": "a", "sub/b.txt": "b", "empty.txt": "", "run.sh": "#!/bin/sh\n" });
  chmodSync(join(from, "run.sh"), 0o755);
  mkdirSync(onHost("there"));
  chmodSync(onHost("there"), 0o777);
  const all = ["a.txt", "empty.txt", "run.sh", "sub/b.txt"];
  const copies = [
    copy("named", "named/deep", { folder: from }),
    copy("contents", "contents/deep", { folder: `${from}/` }),
    copy("file-into", "there", { file: join(from, "a.txt") }),
    copy("file-as", "files/renamed.txt", { file: join(from, "a.txt") }),
    copy("text", "texts/said.txt", { text: "said" }),
  ];
  await upWell(...copies);
  expect(treeOf("named/deep")).toEqual(all.map((file) => `tree/${file}`));
  expect(treeOf("contents/deep")).toEqual(all);
  expect([read("contents/deep/sub/b.txt"), read("contents/deep/empty.txt"), read("texts/said.txt")]).toEqual(["b", "", "said"]);
  expect([readdirSync(onHost("there")), readdirSync(onHost("files"))]).toEqual([["a.txt"], ["renamed.txt"]]);
  // Modes stay here.
  expect(statSync(onHost("contents/deep/run.sh")).mode & 0o111).toBe(0);

  // What is the same is not copied again, also where the connection changed; what has another content is, and nothing goes.
  writeFileSync(onHost("contents/deep/a.txt"), "changed on the host");
  local("tree", { "a.txt": "a", "sub/b.txt": "b", "empty.txt": "", "run.sh": "#!/bin/sh\n" });
  await upWell(...copies.map((each) => ({ ...each, args: { ...each.args, connection: { ...connection, perDialTimeout: 5 } } })));
  expect(read("contents/deep/a.txt")).toBe("changed on the host");
  local("tree", { "a.txt": "A", "new.txt": "n" });
  await upWell(...copies);
  expect(treeOf("contents/deep")).toEqual(["a.txt", "empty.txt", "new.txt", "run.sh", "sub/b.txt"]);
  expect([read("contents/deep/a.txt"), read("there/a.txt")]).toEqual(["A", "A"]);
  // Deleting a copy leaves what was copied.
  expect(await upWell()).toMatch(/copied|contents deleted/);
  expect(treeOf("contents/deep")).toContain("new.txt");

  writeFileSync(onHost("taken"), "a file");
  const { code, output } = await up(copy("on-file", "taken", { folder: `${from}/` }), copy("into-folder", "there", { text: "x" }));
  expect(code).not.toBe(0);
  expect(output).toMatch(/remote path taken exists but is not a directory/);
  expect(output).toMatch(/remote path there is a directory; when using a text asset, remotePath must be a file path/);
});

test("a command on this machine gets input, folder, interpreter, variables and what it said before, and keeps secrets", async () => {
  const { up, upWell, said, inState, local } = stand;
  const here = local("here", { "file.txt": "" });
  const command = (args: Record<string, unknown>, secrets: string[] = []): Declared => ({
    type: "local",
    name: "here",
    args: { dir: here, ...args },
    secrets,
  });
  const failed = await up(command({ create: "echo begun; exit 4" }));
  expect(failed.code).not.toBe(0);
  expect(failed.output).toMatch(/exit status 4: running "echo begun; exit 4":\s+begun/);

  const args = {
    create: 'ls; cat; echo "$TOKEN|$PULUMI_COMMAND_STDERR" >&2',
    stdin: "in",
    environment: { TOKEN: "swordfish" },
    logging: "stdout",
  };
  await upWell(command(args, ["environment"]));
  expect(await said()).toEqual({ here: { stdout: "file.txt\nin", stderr: "swordfish|" } });
  await upWell(command({ ...args, stdin: "next" }, ["environment"]));
  expect(await said()).toEqual({ here: { stdout: "file.txt\nnext", stderr: "swordfish|swordfish|" } });
  const { deployment } = JSON.parse(await inState()) as { deployment: { resources: { type: string; inputs?: object }[] } };
  expect(JSON.stringify(deployment.resources.find(({ type }) => type === "command:local:Command")?.inputs)).not.toContain("swordfish");

  await upWell(command({ create: "import os; print(os.getcwd())", interpreter: ["node", "--print", "'by ' + process.argv[1]"] }));
  expect((await said())["here"]!.stdout).toMatch(/^by /);
  await upWell();
});

test("a program is copied to the host and runs there by pm2, is changed, replaced and ended; the login's key is nowhere in clear", async (context) => {
  const { host, stack, pulumi, declare, upWell, said, inState, onHost, local, remote, copy } = stand;
  const missing = missingPm2(host.runner);
  if (missing !== null) return context.skip(missing);
  const port = await freePort();
  const answer = async (): Promise<string> => (await fetch(`http://127.0.0.1:${port}/`)).text();
  const program = (release: string): string =>
    local(release, {
      "main.mjs": `import { createServer } from "node:http";
createServer((request, answer) => answer.end("${release} " + process.env.GREETING)).listen(${port}, "127.0.0.1");
`,
    });
  const release = (name: string, greeting: string): Declared[] => [
    copy("files", `shop/${name}`, { folder: `${program(name)}/` }),
    remote(
      "shop",
      {
        create: `GREETING=${greeting} pm2 start shop/${name}/main.mjs --name shop --wait-ready --listen-timeout 1 >&2 && pm2 pid shop`,
        update: `GREETING=${greeting} pm2 restart shop --update-env >&2 && pm2 pid shop`,
        delete: "pm2 delete shop",
        triggers: [name],
        addPreviousOutputInEnv: false,
      },
      { after: ["files"], deleteBeforeReplace: true },
    ),
  ];
  const answers = (text: string) => expect.poll(answer, { timeout: 30_000 }).toBe(text);

  declare(...release("v1", "hello"));
  const preview = await pulumi("preview");
  expect(preview.output).toMatch(/command:remote:Command shop create/);
  expect(existsSync(onHost("shop"))).toBe(false);

  await upWell(...release("v1", "hello"));
  await answers("v1 hello");
  const { shop } = await said();
  expect(shop!.stdout).toMatch(/^\d+$/);

  expect(await upWell(...release("v1", "hello"))).toMatch(/unchanged/);
  expect(await upWell(...release("v1", "welcome"))).toMatch(/shop updated/);
  await answers("v1 welcome");
  expect((await said())["shop"]!.stdout).not.toBe(shop!.stdout);

  expect(await upWell(...release("v2", "welcome"))).toMatch(/shop .*replaced/);
  await answers("v2 welcome");
  expect(existsSync(onHost("shop/v1/main.mjs"))).toBe(true);

  const keyLines = host.privateKey.split("\n").filter((line) => line.length > 20 && !line.startsWith("-----"));
  const kept = filesBelow(stack.folder).map((file) => readFileSync(file, "latin1"));
  for (const line of keyLines) expect([...kept, await inState(), stand.spoken()].filter((text) => text.includes(line))).toEqual([]);

  const { code, output } = await pulumi("destroy", "--yes", "--skip-preview");
  expect(code, output).toBe(0);
  await expect(answer()).rejects.toThrow("fetch failed");
  expect(stand.spoken()).not.toContain(host.privateKey);
});
