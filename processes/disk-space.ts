/** Disk space, checked before anything is copied. */
import { statfs } from "node:fs/promises";

export type FreeSpace = { known: true; freeBytes: number; path: string } | { known: false; reason: string };

export interface SpaceVerdict {
  /** `unknown`: the server is on another machine. */
  status: "enough" | "unknown";
  neededBytes: number;
  /** `null`: unknown. */
  freeBytes: number | null;
  /** In words, with figures. */
  detail: string;
}

/** Not enough space for a copy. Nothing was changed. */
export class InsufficientSpaceError extends Error {
  readonly path: string;
  readonly neededBytes: number;
  readonly freeBytes: number;
  constructor(path: string, neededBytes: number, freeBytes: number) {
    super(
      `not enough space at ${path}: ${inMegabytes(neededBytes)} needed with margin, ${inMegabytes(freeBytes)} free. ` +
        "Nothing was copied. Free space, or drop snapshots that are no longer needed",
    );
    this.name = "InsufficientSpaceError";
    this.path = path;
    this.neededBytes = neededBytes;
    this.freeBytes = freeBytes;
  }
}

/** Margin on top of the bare size: others write meanwhile, and the write-ahead log grows. */
const SPACE_MARGIN = 1.3;

/** Free space for an ordinary user of the file system that holds `path`. */
export async function freeAt(path: string): Promise<FreeSpace> {
  const { bavail, bsize } = await statfs(path);
  return { known: true, freeBytes: bavail * bsize, path };
}

/** Requires enough space. @throws InsufficientSpaceError */
export function judgeSpace(free: FreeSpace, sizeBytes: number, margin: number = SPACE_MARGIN): SpaceVerdict {
  const neededBytes = Math.ceil(sizeBytes * margin);
  if (!free.known) {
    return {
      status: "unknown",
      neededBytes,
      freeBytes: null,
      detail: `${inMegabytes(neededBytes)} needed; free space is unknown: ${free.reason}`,
    };
  }
  if (free.freeBytes < neededBytes) throw new InsufficientSpaceError(free.path, neededBytes, free.freeBytes);
  return {
    status: "enough",
    neededBytes,
    freeBytes: free.freeBytes,
    detail: `${inMegabytes(neededBytes)} needed, ${inMegabytes(free.freeBytes)} free`,
  };
}

function inMegabytes(bytes: number): string {
  return `${(bytes / 1_048_576).toFixed(1)} MB`;
}
