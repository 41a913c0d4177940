/** Places in the stack's home, written down in a database that machines with other homes read, too. A copy that is a database has its name there. */
import { join, relative, sep } from "node:path";

const IN_HOME = "home:";

export function keptBelow(home: string | undefined, location: string): string {
  return home !== undefined && location.startsWith(home + sep) ? `${IN_HOME}${relative(home, location)}` : location;
}

export function placedBelow(home: string | undefined, kept: string): string {
  return home !== undefined && kept.startsWith(IN_HOME) ? join(home, kept.slice(IN_HOME.length)) : kept;
}
