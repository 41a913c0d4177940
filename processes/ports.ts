/**
 * Whether a port is free, and which process holds it. Own code: get-port counts a port as taken once it has returned it, and finds no
 * holder.
 */
import { readFileSync, readdirSync, readlinkSync } from "node:fs";
import { createServer } from "node:net";

const HOST = "127.0.0.1";

/** True where a listener could be opened on the port now. */
export function isPortFree(port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", (error: NodeJS.ErrnoException) => (error.code === "EADDRINUSE" ? resolve(false) : reject(error)));
    probe.listen({ port, host: HOST, exclusive: true }, () => probe.close(() => resolve(true)));
  });
}

/** A free port, chosen by the operating system. */
export function freePortNow(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", reject);
    probe.listen({ port: 0, host: HOST }, () => {
      const address = probe.address();
      const port = typeof address === "object" && address !== null ? address.port : 0;
      probe.close(() => resolve(port));
    });
  });
}

/** The process that listens on a TCP port; null: none, another user's process, or not Linux. */
export function holderOf(port: number): number | null {
  if (process.platform !== "linux") return null;
  const inodes = new Set(listening(port).map(({ inode }) => inode));
  if (inodes.size === 0) return null;
  for (const pid of readdirSync("/proc")) {
    if (!/^\d+$/.test(pid)) continue;
    try {
      for (const descriptor of readdirSync(`/proc/${pid}/fd`)) {
        const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${descriptor}`))?.[1];
        if (inode !== undefined && inodes.has(inode)) return Number(pid);
      }
    } catch {
      continue;
    }
  }
  return null;
}

/** The kernel's lists of connections. */
const TABLES = ["/proc/net/tcp", "/proc/net/tcp6"];

/** Whether other machines reach what listens on a port. False where nobody can say. */
export function isPublic(port: number, tables = TABLES): boolean {
  return listening(port, tables).some(({ address }) => !LOOPBACK.test(address));
}

/** As the kernel writes 127.0.0.0/8, ::1 and ::ffff:127.0.0.0/104. */
const LOOPBACK = /^([0-9A-F]{6}7F|0{24}01000000|0{16}FFFF0000[0-9A-F]{6}7F)$/;

function listening(port: number, tables = TABLES): { address: string; inode: string }[] {
  return tables.flatMap((table) => {
    const LISTEN = "0A";
    let text: string;
    try {
      text = readFileSync(table, "utf8");
    } catch {
      return [];
    }
    return text.split("\n").flatMap((line) => {
      const fields = line.trim().split(/\s+/);
      const [address = "", localPort = ""] = fields[1]?.split(":") ?? [];
      const inode = fields[9];
      return fields[3] === LISTEN && Number.parseInt(localPort, 16) === port && inode !== undefined ? [{ address, inode }] : [];
    });
  });
}
