/** A `docker` command for protocol tests: keeps containers in a file, starts their program as a process, and fails where it is told to. */
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { atTestEnd } from "../support/cleaning.ts";
import { newFolder } from "./shop.ts";

export interface FakeContainer {
  id: string;
  name: string;
  image: string;
  labels: Record<string, string>;
  environment: Record<string, string>;
  running: boolean;
  pid: number;
  exitCode: number;
  restart: string;
  created: string;
}

export interface FakeState {
  images: string[];
  /** What a registry has. */
  pullable: string[];
  platform: string;
  /** Id and digests of images by tag, as the daemon knows them. */
  tags?: Record<string, string>;
  /** No daemon answers. */
  down?: boolean;
  /** `stop` returns and the container runs on. */
  stopIsIgnored?: boolean;
  /** `stop` had to kill. */
  stopKills?: boolean;
  /** The program ends at once with this exit code. */
  exitsAtOnce?: number;
  /** This command fails, with this text. */
  fails?: Record<string, string>;
  containers: FakeContainer[];
}

export interface FakeDocker {
  state(): FakeState;
  set(changes: Partial<FakeState>): void;
  /** Arguments of every call so far, the first word first. */
  calls(): string[][];
  named(name: string): FakeContainer | undefined;
}

const PROGRAM = String.raw`#!${process.execPath}
const { appendFileSync, readFileSync, renameSync, writeFileSync } = require("node:fs");
const { spawn } = require("node:child_process");
const { join } = require("node:path");
const folder = __dirname;
const args = process.argv.slice(2);
appendFileSync(join(folder, "calls.jsonl"), JSON.stringify(args) + "\n");
const load = () => JSON.parse(readFileSync(join(folder, "state.json"), "utf8"));
const save = (state) => { const file = join(folder, "state." + process.pid); writeFileSync(file, JSON.stringify(state)); renameSync(file, join(folder, "state.json")); };
const die = (text) => { process.stderr.write(text + "\n"); process.exit(1); };
const state = load();
const find = (key, from = state) => from.containers.find(({ id, name }) => id === key || name === key) ?? die("Error response from daemon: No such container: " + key);
const values = (flag) => args.flatMap((each, index) => (each === flag ? [args[index + 1]] : []));
const kill = (pid) => { try { process.kill(pid, "SIGKILL"); } catch {} };
const word = ["image", "container"].includes(args[0]) ? args[0] + " " + args[1] : args[0];
if (state.down) die("Cannot connect to the Docker daemon at unix:///nowhere/docker.sock. Is the docker daemon running?");
if (state.fails?.[word] !== undefined) die(state.fails[word]);
const last = args.at(-1);
const out = (text) => process.stdout.write(text + "\n");
switch (word) {
  case "version": out(state.platform); break;
  case "image inspect": state.tags?.[last] !== undefined ? out(state.tags[last]) : state.images.includes(last) ? out(last) : die("Error: No such image: " + last); break;
  case "pull":
    if (!state.pullable.includes(last)) die("Error response from daemon: manifest for " + last + " not found: manifest unknown");
    save({ ...state, images: [...state.images, last] });
    out(last);
    break;
  case "create": {
    const [name] = values("--name");
    if (state.containers.some((each) => each.name === name)) die('Error response from daemon: Conflict. The container name "/' + name + '" is already in use');
    if (!state.images.includes(last)) die("Error: No such image: " + last);
    const pairs = (texts) => Object.fromEntries(texts.map((text) => [text.slice(0, text.indexOf("=")), text.slice(text.indexOf("=") + 1)]));
    const filed = values("--env-file").flatMap((file) => readFileSync(file, "utf8").split("\n").filter(Boolean));
    const environment = { ...pairs(filed), ...Object.fromEntries(values("--env").map((each) => [each, process.env[each]])) };
    const id = String(state.containers.length + 1).padStart(2, "0") + Date.now().toString(16).padStart(62, "0");
    const created = new Date().toISOString();
    state.containers.push({ id, name, image: last, labels: pairs(values("--label")), environment, running: false, pid: 0, exitCode: 0, restart: values("--restart")[0], created });
    save(state);
    out(id);
    break;
  }
  case "ps": {
    const wanted = values("--filter").map((each) => each.replace(/^label=/, "").split("="));
    state.containers.filter(({ labels }) => wanted.every(([label, value]) => labels[label] === value)).forEach(({ id }) => out(id));
    break;
  }
  case "container inspect":
    out(JSON.stringify(args.slice(2).map((key) => find(key)).map((each) => ({
      Id: each.id, Name: "/" + each.name, Image: "sha256:" + "f".repeat(64), Created: each.created, Config: { Image: each.image, Labels: each.labels },
      State: { Running: each.running, Restarting: false, Pid: each.pid, ExitCode: each.exitCode },
    }))));
    break;
  case "rename": find(args[1]).name = last; save(state); break;
  case "update": find(last).restart = values("--restart")[0]; save(state); break;
  case "rm":
    if (find(last).running) die("Error response from daemon: cannot remove container: container is running");
    save({ ...state, containers: state.containers.filter((each) => each !== find(last)) });
    break;
  case "start": {
    const container = find(last);
    if (state.exitsAtOnce !== undefined) container.exitCode = state.exitsAtOnce;
    else {
      const program = "require('node:http').createServer((_, answer) => answer.end('{\"status\":\"ok\"}')).listen(Number(process.env.PORT ?? 0), '127.0.0.1')";
      const child = spawn(process.execPath, ["-e", program], { detached: true, stdio: "ignore", env: { PORT: container.environment.PORT } });
      child.unref();
      Object.assign(container, { running: true, pid: child.pid });
    }
    save(state);
    break;
  }
  case "stop":
    if (state.stopIsIgnored) break;
    for (const container of args.slice(3).map((key) => find(key))) {
      kill(container.pid);
      Object.assign(container, { running: false, pid: 0, exitCode: state.stopKills ? 137 : 0 });
    }
    save(state);
    break;
  case "wait": {
    const look = () => { const container = find(last, load()); container.running ? setTimeout(look, 20) : out(String(container.exitCode)); };
    look();
    break;
  }
  case "exec": {
    if (!find(args[1]).running) die("Error response from daemon: container is not running");
    const ended = require("node:child_process").spawnSync(args[2], args.slice(3), { stdio: "inherit" });
    process.exit(ended.status ?? 127);
  }
  case "logs":
    for (let line = 1; line <= 5; line += 1) { out("out " + line); process.stderr.write("err " + line + "\n"); }
    break;
  default: die("unknown command: " + word);
}
`;

/** First on the path until the test's end. */
export function fakeDocker(initial: Partial<FakeState> = {}): FakeDocker {
  const folder = join(newFolder(), "fake");
  mkdirSync(folder);
  const state = (): FakeState => JSON.parse(readFileSync(join(folder, "state.json"), "utf8")) as FakeState;
  const write = (next: FakeState): void => writeFileSync(join(folder, "state.json"), JSON.stringify(next));
  write({ images: [], pullable: [], platform: "Docker Engine - Community", containers: [], ...initial });
  writeFileSync(join(folder, "docker"), PROGRAM);
  chmodSync(join(folder, "docker"), 0o755);
  const path = process.env["PATH"] ?? "";
  process.env["PATH"] = `${folder}${delimiter}${path}`;
  atTestEnd(() => {
    process.env["PATH"] = path;
    for (const { pid } of state().containers) if (pid > 0) process.kill(pid, "SIGKILL");
  });
  const calls = join(folder, "calls.jsonl");
  return {
    state,
    set: (changes) => write({ ...state(), ...changes }),
    calls: () =>
      existsSync(calls)
        ? readFileSync(calls, "utf8")
            .trim()
            .split("\n")
            .map((line) => JSON.parse(line) as string[])
        : [],
    named: (name) => state().containers.find((container) => container.name === name),
  };
}
