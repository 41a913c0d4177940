/** Self-signed certificates for 127.0.0.1. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { TlsFiles } from "../../config/system/traffic.ts";

/** Writes `<name>.crt` and `<name>.key`; null: there is no openssl on this machine. */
export function selfSigned(folder: string, name: string): (TlsFiles & { text: string }) | null {
  const files = { certificate: join(folder, `${name}.crt`), key: join(folder, `${name}.key`) };
  const subject = ["-subj", `/CN=${name}`, "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"];
  const request = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
  try {
    execFileSync("openssl", [...request, ...subject, "-keyout", files.key, "-out", files.certificate], { stdio: "pipe" });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
  return { ...files, text: readFileSync(files.certificate, "utf8") };
}
