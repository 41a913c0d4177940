/** The few questions of `init`; an empty answer takes what was found. */
import { UsageError } from "../../config/errors.ts";
import { plainName, type Found, type FoundDatabase, type FoundService } from "./found.ts";

/** @returns the answer; empty: the person has none */
export type Ask = (question: string) => Promise<string>;

/** What was found, as a person wants it. @throws UsageError for an answer that is not allowed */
export async function answered(found: Found, ask: Ask): Promise<Found> {
  const or = async (question: string, known: string): Promise<string> => (await ask(`${question} [${known}]: `)).trim() || known;
  const system = plainName(await or("Name of the system", found.system));
  const names = new Map<string, string>();
  const services: FoundService[] = [];
  for (const service of found.services) {
    const name = await or(`Service ${service.name} (${service.from}): its name, or - to leave it out`, service.name);
    if (name === "-") continue;
    names.set(service.name, plainName(name));
    services.push({ ...service, name: plainName(name), ...(await portOf(service, or)) });
  }
  if (services.length === 0) throw new UsageError("a system has at least one service; nothing was written");
  const known = (name: string): string[] => (names.has(name) ? [names.get(name)!] : []);
  return {
    ...found,
    system,
    services: services.map((service) => ({ ...service, needs: service.needs.flatMap(known) })),
    databases: await databasesOf(found, system, or),
  };
}

async function portOf(service: FoundService, or: (question: string, known: string) => Promise<string>): Promise<Partial<FoundService>> {
  if (service.port === undefined) return {};
  const answer = await or("  port that users reach it at, or none", service.public ? String(service.port) : "none");
  if (answer === "none") return { public: false };
  const port = Number(answer);
  if (!Number.isInteger(port) || port < 1 || port > 65_535)
    throw new UsageError(`port ${answer}: must be a number from 1 to 65535, or none; nothing was written`);
  return { port, public: true };
}

/** Of several databases every one was declared; of none or one a person may know better. */
async function databasesOf(
  { databases }: Found,
  system: string,
  or: (question: string, known: string) => Promise<string>,
): Promise<FoundDatabase[]> {
  const [first] = databases;
  if (databases.length > 1) return databases;
  const said = first === undefined ? "none" : first.engine;
  const answer = await or(`Database${first === undefined ? "" : ` ${first.name} (${first.from})`}: postgres, sqlite or none`, said);
  if (answer === said) return databases;
  if (answer === "none") return [];
  if (answer !== "postgres" && answer !== "sqlite")
    throw new UsageError(`database ${answer}: must be postgres, sqlite or none; nothing was written`);
  const name = first?.name ?? system;
  const { migrations } = first ?? {};
  return [{ name, live: name, engine: answer, from: "your answer", hosts: [], ...(migrations === undefined ? {} : { migrations }) }];
}
