/** A project of somebody's own, with git and a system of one service, and the verbs as a user types them there. */
import { execFileSync } from "node:child_process";
import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";
import { freePort } from "../../support/free-port.ts";
import { environment, REPOSITORY, runScript, scratch, standInPulumi } from "../pulumi/scratch.ts";

export interface Answer<T> {
  code: number | null;
  json: T & { error?: { message: string } };
  stderr: string;
}

/** The stack file has no ledger. @param lines of the stack file besides standby and ports */
export async function ownProject(lines = "") {
  const here = await scratch();
  const { project } = here;
  await standInPulumi(here.bin, "v3.259.0");
  const provider = { plugins: { providers: [{ name: "backout", path: join(REPOSITORY, "provider") }] } };
  appendFileSync(join(project, "Pulumi.yaml"), stringify(provider));
  mkdirSync(join(project, "dist", "api"), { recursive: true });
  writeFileSync(join(project, "dist", "api", "main.ts"), "console.log(1);\n");
  writeFileSync(join(project, ".gitignore"), "dist/\n");
  writeFileSync(join(project, "index.ts"), `export { definition } from "${join(import.meta.dirname, "shop.ts")}";\n`);
  const ports = { api: await freePort(), "api-upstream": await freePort() };
  const file = join(project, "Pulumi.dev.yaml");
  writeFileSync(
    file,
    `# The shop.\nconfig:\n  backout:standby: never # ours\n  backout:ports: {api: ${ports.api}, api-upstream: ${ports["api-upstream"]}}\n${lines}`,
  );
  const git = (...words: string[]): string =>
    execFileSync("git", ["-C", project, "-c", "user.name=Ann", "-c", "user.email=ann@shop.example", ...words], { encoding: "utf8" }).trim();
  git("init", "--quiet");
  git("add", "--all");
  git("commit", "--quiet", "--message", "first");
  /** @param path folders that come first on the search path */
  const backout = async <T>(given: string[], path = ""): Promise<Answer<T>> => {
    const env = environment(here);
    const more = path === "" ? {} : { PATH: `${path}:${env["PATH"] ?? ""}` };
    const { code, stdout, stderr } = await runScript("backout.ts", [...given, "--json"], { cwd: project, env: { ...env, ...more } });
    return { code, json: JSON.parse(stdout) as Answer<T>["json"], stderr };
  };
  return { ...here, file, ports, git, backout, text: (): string => readFileSync(file, "utf8") };
}
