/** The site in the engine's state: paths below the project are relative to it, so another clone reads them as its own. */
import { isAbsolute, relative, resolve } from "node:path";
import type { Site } from "./site.ts";

type Place = (path: string) => string;

/** @param from folder that `placedIn` will be given: where the engine runs program and provider */
export function portable(site: Site, from: string = site.project): Site {
  return moved(site, (path) => {
    const below = relative(site.project, path);
    return below === ".." || below.startsWith("../") || isAbsolute(below) ? path : relative(from, path);
  });
}

/** @param project folder of this clone in which the engine runs program and provider */
export function placedIn(site: Site, project: string): Site {
  return moved(site, (path) => resolve(project, path));
}

/** What is absent or not known yet stays so. */
function moved(site: Site, place: Place): Site {
  const known = <T>(path: T): T | string => (typeof path === "string" ? place(path) : path);
  const { project, home, module, files, program } = site as Partial<Site>;
  const placed = {
    program: program?.plain && { ...program, plain: { ...program.plain, folder: place(program.plain.folder) } },
    project: known(project),
    home: known(home),
    module: known(module),
    files: files && Object.fromEntries(Object.entries(files).map(([database, path]) => [database, known(path)])),
  };
  return { ...site, ...(Object.fromEntries(Object.entries(placed).filter(([, path]) => path !== undefined)) as Partial<Site>) };
}
