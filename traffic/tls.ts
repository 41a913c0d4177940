/** Certificate and key of a public listener: files that are read again when they change. */
import { readFileSync } from "node:fs";
import { createSecureContext, type Server } from "node:tls";
import type { TlsFiles } from "../config/system/traffic.ts";

export class TlsFilesError extends Error {
  readonly files: TlsFiles;
  constructor(files: TlsFiles, cause: Error) {
    super(`certificate ${files.certificate} and key ${files.key} cannot be used: ${cause.message}`, { cause });
    this.name = "TlsFilesError";
    this.files = files;
  }
}

export interface TlsPair {
  cert: string;
  key: string;
}

/** @throws TlsFilesError if one is missing or they do not belong together */
export function readTls(files: TlsFiles): TlsPair {
  try {
    const pair = { cert: readFileSync(files.certificate, "utf8"), key: readFileSync(files.key, "utf8") };
    createSecureContext(pair);
    return pair;
  } catch (error) {
    throw new TlsFilesError(files, error as Error);
  }
}

/**
 * Reads the files again; a new pair is for new connections. Files that cannot be used, e.g. of which only one is written yet, change nothing.
 * @returns the pair that the server has now
 * @throws TlsFilesError
 */
export function renewTls(server: Server, files: TlsFiles, current: TlsPair): TlsPair {
  const pair = readTls(files);
  if (pair.cert === current.cert && pair.key === current.key) return current;
  server.setSecureContext(pair);
  return pair;
}
