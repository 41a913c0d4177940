/** Standby copies and quarantines in the catalogue. */
import type { StateStore, Snapshot, CatalogueDatabase } from "../../config/record.ts";

export async function standbyCopiesOf(state: StateStore, snapshot: Snapshot): Promise<CatalogueDatabase[]> {
  return (await state.catalogued()).filter(({ role, snapshotId }) => role === "standby" && snapshotId === snapshot.id);
}

/** The quarantine that the pins name does not exist. */
export class QuarantineMissingError extends Error {
  readonly quarantine: string;
  readonly available: string[];
  constructor(quarantine: string, available: string[]) {
    super(
      `backout:data "quarantine:${quarantine}": no such quarantine; ${available.length > 0 ? `there are ${available.join(", ")}` : "there are none"}`,
    );
    this.name = "QuarantineMissingError";
    this.quarantine = quarantine;
    this.available = available;
  }
}

/** @throws QuarantineMissingError */
export async function quarantineOf(state: StateStore, database: string, name: string): Promise<CatalogueDatabase> {
  const quarantines = (await state.catalogued()).filter((entry) => entry.role === "quarantine" && entry.database === database);
  const found = quarantines.find((entry) => entry.name === name);
  if (found === undefined)
    throw new QuarantineMissingError(
      name,
      quarantines.map((entry) => entry.name),
    );
  return found;
}

/** The content of a copy differs from that of its snapshot. */
export class CopyDiffersError extends Error {
  readonly copy: string;
  readonly differences: string[];
  constructor(copy: string, differences: string[]) {
    super(
      `the copy ${copy} differs from its snapshot: ${differences.slice(0, 5).join("; ")}; the copy was dropped and nothing was cut over`,
    );
    this.name = "CopyDiffersError";
    this.copy = copy;
    this.differences = differences;
  }
}
