/** A project of a migration tool's user, with a PostgreSQL database that backout fences, migrates, restores and reverts. */
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { withMigrations } from "../../../config/definition/migrations.ts";
import type { Pins } from "../../../config/pins.ts";
import type { DataAction, DatabaseFacts, DatabasePlan } from "../../../config/plan.ts";
import type { Run } from "../../../config/run.ts";
import type { StateStore } from "../../../config/record.ts";
import { endpointOf, type Server, type Site } from "../../../config/site.ts";
import type { SystemDefinition } from "../../../config/system/definition.ts";
import { createState } from "../../../databases/open-state.ts";
import { withSession } from "../../../databases/postgres/connection.ts";
import { toolPlace } from "../../../databases/postgres/tool-url.ts";
import { runCommand } from "../../../processes/command.ts";
import { postgres } from "../../databases/engines/whole.ts";
import type { ToolCase } from "./tools.ts";

const DATABASE = "shop";

export class ToolStand {
  readonly said: string[] = [];
  private readonly folder = mkdtempSync(join(tmpdir(), "backout-tool-"));
  private readonly site: Site;
  private readonly tool: ToolCase;
  private state: StateStore | null = null;
  private epoch = 0;
  private restored = 0;

  constructor(server: Server, tool: ToolCase) {
    this.tool = tool;
    chmodSync(this.folder, 0o755);
    const home = join(this.folder, "home");
    this.site = {
      stack: "shop",
      system: "shop",
      module: null,
      project: this.folder,
      home,
      target: "process",
      server,
      ports: {},
      files: {},
    };
    this.write(tool.project);
    this.write(tool.revisions[0]);
    if (tool.packages !== undefined) symlinkSync(join(tool.packages, "node_modules"), join(this.folder, "node_modules"));
  }

  write(files: Record<string, string>): void {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(this.folder, path)), { recursive: true });
      writeFileSync(join(this.folder, path), text);
    }
  }

  /** The files of the older release: those that only the second revision has are gone. */
  older(): void {
    for (const path of Object.keys(this.tool.revisions[1])) {
      rmSync(join(this.folder, path));
      const folder = dirname(join(this.folder, path));
      if (readdirSync(folder).length === 0) rmdirSync(folder);
    }
    this.write(this.tool.revisions[0]);
  }

  definition(over: object = {}): SystemDefinition {
    const { folder, migrate, migrateDown } = this.tool;
    const commands = { ...(migrate === undefined ? {} : { migrate }), ...(migrateDown === undefined ? {} : { migrateDown }) };
    const database = { engine: "postgres", ledger: "auto", migrations: folder, tables: [], principalTable: "", ...commands, ...over };
    const given = { name: "shop", folder: this.folder, services: {}, databases: { [DATABASE]: database } };
    return withMigrations(given, (path, value, allowed) => {
      throw new Error(`${path}: ${String(value)}: ${allowed}`);
    }) as SystemDefinition;
  }

  private async run(over?: object): Promise<Run> {
    const definition = this.definition(over);
    this.state ??= await createState(this.site, definition);
    const log: Run["log"] = (_severity, line) => void this.said.push(line);
    return { site: this.site, definition, state: this.state, epoch: this.epoch, runId: `run-${this.epoch}`, log };
  }

  /** A new rollout: the fence closes. */
  async fence(): Promise<void> {
    this.epoch++;
    const run = await this.run();
    await postgres.keepProperties(run, DATABASE, true);
    await postgres.close(run, DATABASE);
  }

  async open(): Promise<void> {
    await postgres.admit(await this.run(), DATABASE, "everybody");
  }

  async make(): Promise<void> {
    this.epoch = 1;
    await postgres.make(await this.run(), DATABASE);
  }

  async migrate(needs: string, plan: Partial<DatabasePlan> = {}, over?: object): ReturnType<typeof postgres.migrate> {
    const pins = { release: "v", needs: { [DATABASE]: needs } } as unknown as Pins;
    return postgres.migrate(await this.run(over), DATABASE, pins, { action: { kind: "none" }, up: [], back: [], backBy: "keep", ...plan });
  }

  async snapshot(): Promise<void> {
    const run = await this.run();
    const begun = await run.state.beginSnapshot(
      { database: DATABASE, name: "before-v2", driver: postgres.driver(run), epoch: this.epoch, release: "v1", automatic: true },
      (generation) => postgres.snapshotLocation(run, DATABASE, "before-v2", generation),
    );
    await run.state.finishSnapshot(begun.id, { ...(await postgres.takeSnapshot(run, begun, false)), baseline: null });
  }

  async restore(): Promise<void> {
    const run = await this.run();
    const action: DataAction = { kind: "restore", snapshot: "before-v2", generation: 1, again: this.restored++ };
    await postgres.cutOver(run, DATABASE, action, (await run.state.readySnapshots())[0]!);
  }

  async facts(): Promise<DatabaseFacts> {
    const { site, definition, state } = await this.run();
    return postgres.facts({ site, definition, state }, DATABASE);
  }

  async sql<Row extends object>(text: string): Promise<Row[]> {
    return withSession(endpointOf(this.site), DATABASE, async (client) => (await client.query<Row>(text)).rows);
  }

  /** The tool as a release starts it, outside of any rollout. */
  async start(): Promise<string[]> {
    return this.command(this.tool.start);
  }

  /** Starts the tool and asks whether its files and the ledger are the same. */
  async accepted(): Promise<void> {
    await this.start();
    if (this.tool.status !== undefined) await this.command(this.tool.status);
  }

  private async command(command: string): Promise<string[]> {
    const { url, secrets } = toolPlace(endpointOf(this.site), DATABASE, endpointOf(this.site).user);
    const marker = `${this.folder}/start`;
    return runCommand({ command, folder: this.folder, environment: { DATABASE_URL: url }, marker, secrets });
  }

  async end(): Promise<void> {
    await this.state?.end();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
