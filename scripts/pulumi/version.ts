/** The Pulumi release that set-up installs or builds. It is the release of the `@pulumi/pulumi` that package.json pins. */
export const ENGINE_VERSION = "3.259.0";

/** The oldest Pulumi on the PATH that is used instead: older ones have no exit code of their own for a stack that is not found. */
export const OLDEST_SUITABLE = "3.227.0";

export interface Version {
  major: number;
  minor: number;
  patch: number;
}

/** Reads what `pulumi version` prints, such as `v3.259.0` or `3.260.0-alpha.1+dirty`; `undefined` when it is no version. */
export function parseVersion(text: string): Version | undefined {
  const found = /^v?(\d+)\.(\d+)\.(\d+)(?:[-+].*)?$/.exec(text.trim());
  return found ? { major: Number(found[1]), minor: Number(found[2]), patch: Number(found[3]) } : undefined;
}

/** The same major version as {@link OLDEST_SUITABLE}, and not older than it. */
export function isSuitable(version: Version): boolean {
  const oldest = parseVersion(OLDEST_SUITABLE) as Version;
  if (version.major !== oldest.major) return false;
  return version.minor > oldest.minor || (version.minor === oldest.minor && version.patch >= oldest.patch);
}

export function showVersion({ major, minor, patch }: Version): string {
  return `${major}.${minor}.${patch}`;
}
