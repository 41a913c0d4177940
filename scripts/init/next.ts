/** What to type after `init`, in this order. */
import { basename } from "node:path";
import { commandOf, setSecretCommand, upCommand } from "../../config/commands.ts";
import type { Found, FoundDatabase, FoundService } from "./found.ts";
import { ADMINISTRATOR } from "./stack-text.ts";

export interface NextCommand {
  command: string;
  why: string;
}

export interface NextQuestion {
  folder: string;
  stack: string;
  /** It is the only stack of the project, so that commands need not name it. */
  only: boolean;
  installed: boolean;
  /** A database is named that may have data. */
  adopt: boolean;
  /** User on a server that is somebody's own, whose password is not set yet; null: there is none. */
  user: string | null;
  /** Names of the secrets that have no value yet. */
  secrets: readonly string[];
  /** The file that declares the system, relative to the folder. */
  program: string;
}

const FIRST = "releases/v1";
/** Made by tools, or secret, or backout's own. */
const LEFT_OUT = ["./releases", "./.backout", "node_modules", ".venv", ".git", '".env*"'];

export function nextCommands(
  { services, databases, system }: Pick<Found, "services" | "databases" | "system">,
  question: NextQuestion,
): NextCommand[] {
  const { folder, stack, only, program, user, secrets } = question;
  const on = only ? "" : ` --stack ${stack}`;
  const backout = (words: string): string => commandOf(folder, "backout", `${words}${on}`);
  const container = services.some(({ image }) => image !== undefined);
  const files = services.filter(({ image }) => image === undefined);
  return [
    ...(question.installed ? [] : [{ command: `npm install backout${container ? " @pulumi/docker" : ""}`, why: "the program imports it" }]),
    ...(user === null && secrets.length === 0 ? [] : stackCommands(folder, stack)),
    ...(user === null ? [] : [passwordCommand(folder, stack, user)]),
    ...secrets.map((name) => ({
      command: `${setSecretCommand(folder, name)} --stack ${stack}`,
      why: `asks for the secret ${name}, which the program declares, and writes it encrypted`,
    })),
    ...(files.length === 0
      ? []
      : [{ command: copyOf(files, databases, program), why: "a release is a folder that does not change any more" }]),
    { command: backout(`release add v1 ${buildsOf(services)}`), why: `enters the first release of ${system} and pins it` },
    { command: backout("doctor"), why: "says what is missing, each with its fix" },
    ...(question.adopt
      ? [
          {
            command: backout("adopt --dry-run"),
            why: "if the database has data: looks at it; without --dry-run it takes it over, and stops nothing",
          },
        ]
      : []),
    { command: backout("deploy v1"), why: `the same as \`${upCommand({ project: folder, stack })}\`` },
  ];
}

/** The stack file holds it encrypted, so the stack and the passphrase come first. */
function stackCommands(folder: string, stack: string): NextCommand[] {
  return [
    { command: commandOf(folder, "backout", "setup"), why: "makes the engine, the passphrase and the place of the state" },
    { command: 'export PULUMI_CONFIG_PASSPHRASE_FILE="$PWD/.backout/passphrase"', why: "where plain `pulumi` finds it" },
    { command: commandOf(folder, "pulumi", `stack select --create ${stack}`), why: "the stack of the file that was written" },
  ];
}

function passwordCommand(folder: string, stack: string, user: string): NextCommand {
  return {
    command: commandOf(folder, "pulumi", `config set --secret backout:serverPassword --stack ${stack}`),
    why: `asks for the password of ${user}, and writes it encrypted; ${user} must be ${ADMINISTRATOR}, else name another in backout:server`,
  };
}

/** Live data and the files of the deployment belong to no release. */
function copyOf(services: readonly FoundService[], databases: readonly FoundDatabase[], program: string): string {
  const data = databases.flatMap(({ file }) => (file === undefined ? [] : [`"${file}*"`]));
  const folders = [...new Set(services.map(({ folder }) => folder))];
  const whole = folders.includes(".");
  const own = whole ? ["./Pulumi.yaml", '"./Pulumi.*.yaml"', `./${program}`] : [];
  const leftOut = [...LEFT_OUT, ...own, ...data].map((path) => `--exclude=${path}`).join(" ");
  const copied = whole ? "." : folders.join(" ");
  return `mkdir -p ${FIRST} && tar -c ${leftOut} ${copied} | tar -x -C ${FIRST}`;
}

/** One argument where the folders have the names of their services. */
function buildsOf(services: readonly FoundService[]): string {
  const whole = services.some(({ folder, image }) => image === undefined && folder === ".");
  const places = services.map(({ name, folder, image }) => ({
    name,
    build: image ?? (whole && folder === "." ? FIRST : `${FIRST}/${folder}`),
  }));
  if (places.length === 1) return places[0]!.build;
  const plain = places.every(({ name, build }) => build === `${FIRST}/${name}` && basename(build) === name);
  return plain ? FIRST : places.map(({ name, build }) => `--service ${name}=${build}`).join(" ");
}
