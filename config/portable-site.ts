/** The site in the engine's state: paths below the project are relative to it, so another clone reads them as its own. */
import { isAbsolute, relative, resolve } from "node:path";
import type { Site } from "./site.ts";

type Place = (path: string) => string;

export function portable(site: Site): Site {
  return moved(site, (path) => {
    const below = relative(site.project, path);
    return below.startsWith("..") || isAbsolute(below) ? path : below;
  });
}

/** @param project folder of this clone */
export function placedIn(site: Site, project: string): Site {
  return moved(site, (path) => resolve(project, path));
}

function moved(site: Site, place: Place): Site {
  return {
    ...site,
    project: place(site.project),
    home: place(site.home),
    module: site.module === null ? null : place(site.module),
    files: Object.fromEntries(Object.entries(site.files).map(([database, path]) => [database, place(path)])),
  };
}
