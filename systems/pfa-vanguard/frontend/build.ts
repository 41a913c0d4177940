/** Makes the frontend's release folders from their sources: `node systems/pfa-vanguard/frontend/build.ts`. */
import { join } from "node:path";
import { writeStaticRelease, type StaticRelease } from "../../kit/static-release.ts";

const folder = import.meta.dirname;
const REQUIRES = [
  "/api/pfa-data?organizationId=org-rio",
  "/api/pfa-data?organizationId=org-rio&category=Equipment&sort=totalCost",
  "/api/pfa-data?organizationId=org-rio&format=csv",
];

export const FRONTENDS: StaticRelease[] = ["v3.0.0", "v4.0.0"].map((release) => ({
  release,
  sources: [join(folder, "shared"), join(folder, release)],
  requires: REQUIRES,
}));

export function releaseFolder(release: string): string {
  return join(folder, "..", "releases", release, "frontend");
}

if (process.argv[1] === import.meta.filename)
  for (const frontend of FRONTENDS) writeStaticRelease(releaseFolder(frontend.release), frontend);
