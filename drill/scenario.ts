/**
 * The scenario of a drill: the older release with data, the newer one, a client that writes continuously, a fault, the rollback, and an
 * inspection from outside.
 */
import { definedSecret } from "../config/secrets.ts";
import type { RolloutOutcome } from "../scripts/pulumi/roll-out.ts";
import type { Engine } from "../scripts/pulumi/environment.ts";
import type { DeployOutcome, NextWatch, WatchOutcome } from "../scripts/pulumi/answers.ts";
import type { PreviewOutcome } from "../scripts/pulumi/preview.ts";
import type { CheckResult } from "../config/system/check.ts";
import { openData } from "../databases/open-data.ts";
import { communicationCheck, messagesOf } from "./communication.ts";
import { failed, passed, releasesCheck, skipped } from "./checks.ts";
import { within } from "./clock.ts";
import type { Contents } from "./contents.ts";
import { DrillStoppedError, type DrillFacts } from "./facts.ts";
import { faultGone, switchFaultOn } from "./fault.ts";
import { watchGate, type GateSample } from "./gate-watch.ts";
import { judgeDrill } from "./judge-drill.ts";
import { releasesOutside } from "./inspect-outside.ts";
import { outsideOf } from "./outside.ts";
import { setStage, urlOf, withContext, type Stage } from "./stage.ts";
import { hinder, NO_HINDRANCE, provoke, type Hindrance } from "./provoke.ts";
import { runVerb } from "./verbs.ts";
import { readJournal, startWitness, stopWitness, untilSeen, type WitnessRun } from "./witness-process.ts";
import { drillOf } from "../config/system/drill.ts";

/** Time until users must be served again. Milliseconds. */
const BACK_LIMIT_MS = 20_000;
/** Acknowledged writes before the fault is switched on, and after it shows. */
const WRITES_BEFORE = 20;
const WRITES_AFTER = 20;
/** Speed of the watch's clock: a minute between two polls becomes 17 ms. */
const WATCH_SPEED = 3600;

/** @param folder the drill's. @param name of its stack. @throws the error that ends it; the findings so far are in `facts`. */
export async function runScenario(facts: DrillFacts, folder: string, name: string, engine: Engine): Promise<void> {
  const { clock, request, checks } = facts;
  const stage = await clock.phase("prepare", () => setStage(request, folder, name, engine));
  facts.stage = stage;
  const drill = drillOf(stage.definition);
  const restores = stage.definition.scopes[request.scope]?.pins.data === "snapshot";

  await clock.phase("deploy-old", () => deploy(stage, drill.to));
  const before = await clock.phase("seed", () => seed(stage, request.rows));
  const failsToDeploy = drill.faults[request.fault]?.beforeDeploy !== undefined;
  if (!failsToDeploy)
    await clock.phase("deploy-new", async () => {
      const { standby } = await deploy(stage, drill.from);
      if (restores) checks.push(standbyCheck(standby));
    });
  const secret = (wanted: string): string => definedSecret(stage.site, stage.definition, wanted);
  const witness = await startWitness({ drill: folder }, drill.witness, urlOf(stage, drill.witness.service), secret);
  let hindrance: Hindrance = NO_HINDRANCE;
  try {
    await clock.phase("fault", () => breakIt(facts, stage, witness));
    const given = [...(await repairArguments(facts, stage)), ...request.newWrites];
    hindrance = await hinder(stage, drill.faults[request.fault]?.hinder);
    const { usersKeptOut: keptOut } = await clock.phase("preview", () => previewOf(facts, stage, given));
    const { outcome, samples, period } = await goBack(facts, stage, given);
    if (outcome.ok) {
      await clock.phase("service-back", () => untilBack(facts, stage, witness, Date.now()));
      await clock.phase("verify", () => verifyAgain(facts, stage));
      await clock.phase("watch", () => rehearseWatch(facts, stage, outcome.nextWatch));
    }
    await stopWitness(witness);
    // A failed rollback must not lose anything either.
    await clock.phase("judge", async () => {
      facts.finding = await judgeDrill({ stage, outcome, before, samples, witness, period, keptOut, restores });
      checks.push(...facts.finding.checks);
    });
  } finally {
    await hindrance.end();
    await stopWitness(witness);
  }
}

/** What `backout rollback --json` answers. */
type RolledBack = RolloutOutcome & { nextWatch: NextWatch | null };

/** The drill itself is the trial rollback that a deployment may require. */
async function deploy(stage: Stage, release: string): Promise<DeployOutcome> {
  const asksForTrial = stage.definition.deployment?.before.includes("trial-rollback") === true;
  const skip = asksForTrial ? ["--skip", "trial-rollback"] : [];
  const { json, failure } = await runVerb<DeployOutcome>(stage.stack, "deploy", [release, "--yes", "--reason", "drill", ...skip]);
  if (json === null || failure !== null) throw new DrillStoppedError("deploy", `${release}: ${failure ?? "no answer"}`);
  return json;
}

/** Resolves with the content, to compare with after the rollback. */
async function seed(stage: Stage, rows: number): Promise<Record<string, Contents>> {
  const outside = await outsideOf(stage);
  const data = openData(stage.site);
  await drillOf(stage.definition)
    .seed(data, rows)
    .finally(() => data.end());
  const contents: Record<string, Contents> = {};
  for (const [database, live] of Object.entries(outside.live)) contents[database] = await outside.contents(live);
  return contents;
}

function serviceOf({ request }: DrillFacts): string[] {
  return request.service === null ? [] : ["--service", request.service];
}

function standbyCheck(standby: boolean): CheckResult {
  return standby
    ? passed("standby", "the deployment's snapshot has its standby copy")
    : failed("standby", "after the deployment no snapshot has its standby copy");
}

async function breakIt(facts: DrillFacts, stage: Stage, witness: WitnessRun): Promise<void> {
  const writes =
    (more: number) =>
    ({ acknowledgedAt }: { acknowledgedAt: number[] }) =>
      acknowledgedAt.length >= more;
  if (!(await untilSeen(witness, writes(WRITES_BEFORE), BACK_LIMIT_MS)))
    throw new DrillStoppedError("witness", "the witness could not write before anything was broken");
  facts.faultSeen = await switchFaultOn(stage, facts.request.fault, () => provoke(facts, stage));
  facts.checks.push(passed("fault-seen", facts.faultSeen));
  // A system with such a fault may acknowledge nothing more: then earlier writes are at risk.
  await untilSeen(witness, writes(readJournal(witness).acknowledgedAt.length + WRITES_AFTER), 3000);
}

/** The arguments of the scope's repair, as a person would find them. */
async function repairArguments({ request }: DrillFacts, stage: Stage): Promise<string[]> {
  const fault = drillOf(stage.definition).faults[request.fault];
  if (fault?.repairWith === undefined || typeof stage.definition.scopes[request.scope]?.pins.data !== "object") return [];
  const found = (await withContext(stage, async (context) => fault.repairWith?.(context))) ?? {};
  return Object.entries(found).flatMap(([name, value]) => ["--with", `${name}=${value}`]);
}

async function previewOf(facts: DrillFacts, stage: Stage, given: string[]): Promise<{ usersKeptOut: boolean }> {
  const { definition } = stage;
  const { json, failure } = await runVerb<PreviewOutcome>(stage.stack, "preview", [
    "--to",
    drillOf(definition).to,
    "--scope",
    facts.request.scope,
    ...serviceOf(facts),
    ...given,
  ]);
  if (json?.preview == null || failure !== null) throw new DrillStoppedError("preview", failure ?? "the preview gave no answer");
  const told = Object.values(json.preview.databases).flatMap(({ atRisk }) => Object.entries(atRisk?.rows ?? {}));
  const rows = told.reduce((sum, [, { inserted, updated, deleted }]) => sum + inserted + updated + deleted, 0);
  if (definition.scopes[facts.request.scope]?.pins.data === "snapshot") {
    if (rows === 0) throw new DrillStoppedError("preview", "the preview shows no rows at risk, although a client has written continuously");
    facts.checks.push(passed("preview", `${rows} rows at risk in ${told.length} tables, estimate ${json.preview.estimate.seconds} s`));
  } else facts.checks.push(passed("preview", `the data stays; estimate ${json.preview.estimate.seconds} s`));
  return json.preview;
}

/** The rollback by its command, while the gate is sampled. */
async function goBack(
  facts: DrillFacts,
  stage: Stage,
  given: string[],
): Promise<{ outcome: RolledBack; samples: GateSample[]; period: { from: number; to: number } }> {
  const { definition, stack } = stage;
  const { clock, request, checks, runId } = facts;
  const from = Date.now();
  const watch = watchGate(urlOf(stage, drillOf(definition).witness.service));
  const wish = [
    "--to",
    drillOf(definition).to,
    "--scope",
    request.scope,
    ...serviceOf(facts),
    "--yes",
    "--incident",
    runId.toUpperCase(),
    "--reason",
    "drill",
    ...given,
  ];
  const roll = async (words: string[]): Promise<RolledBack> => {
    const { json, failure } = await runVerb<RolledBack>(stack, "rollback", words);
    if (json === null || !("phases" in json)) throw new DrillStoppedError("rollback", failure ?? "the rollback gave no answer");
    return { ...json, ok: json.ok && failure === null, failure: json.failure ?? failure };
  };
  const checked = (outcome: RolledBack): RolledBack => {
    const { ok, failure, from: left, to, seconds } = outcome;
    checks.push(
      ok
        ? passed("rollback", `${left ?? "nothing"} → ${to} in ${seconds.toFixed(1)} s`)
        : failed("rollback", failure ?? "it failed without a reason"),
    );
    return outcome;
  };
  const alternative = drillOf(definition).faults[request.fault]?.alternative;
  const work = async (): Promise<RolledBack> => {
    const first = await roll(wish);
    if (alternative === undefined || request.scope !== drillOf(definition).faults[request.fault]?.scope) return checked(first);
    checks.push(
      first.ok
        ? failed("rollback-fails-first", "the rollback succeeded despite the obstacle, so no alternative was tried")
        : passed("rollback-fails-first", (first.failure ?? "").split("\n")[0] ?? ""),
    );
    return checked(await roll(["--alternative", alternative, "--yes", "--incident", runId.toUpperCase(), "--reason", "drill"]));
  };
  let samples: GateSample[] = [];
  const outcome = await clock
    .phase("rollback", work, definition.scopes[request.scope]?.budgetSeconds ?? null)
    .finally(async () => (samples = await watch.stop()));
  const period = { from, to: Date.now() };
  facts.rollback = outcome;
  await addPhases(facts, stage, outcome);
  rehearseMessages(facts, stage, outcome);
  return { outcome, samples, period };
}

/** Which messages would have been sent to whom. A system without messages has nothing to rehearse. */
function rehearseMessages({ checks, request, runId }: DrillFacts, { definition }: Stage, outcome: RolloutOutcome): void {
  const notifications = definition.policy?.notifications ?? [];
  if (notifications.length === 0) return;
  const { from, to } = drillOf(definition);
  const duration = `${Math.round(outcome.seconds)} s`;
  const step = outcome.failure?.split("\n")[0] ?? outcome.phases.at(-1)?.name ?? "fence";
  const values = { incident: runId.toUpperCase(), reason: "drill", from, to, eta: duration, duration, step };
  checks.push(communicationCheck(messagesOf(notifications, request.scope, values)));
}

/** The rollback's own phases, with their times from the journal. */
async function addPhases({ clock }: DrillFacts, stage: Stage, outcome: RolloutOutcome): Promise<void> {
  if (outcome.epoch === null) return;
  const { phases } = await (await outsideOf(stage)).journalTimes(outcome.epoch);
  for (const { name, seconds, budgetSeconds, status } of outcome.phases) {
    const from = phases[name]?.from;
    clock.add({
      name: `rollback: ${name}`,
      seconds,
      budgetSeconds,
      status: status === "failed" ? "failed" : within("passed", seconds, budgetSeconds),
      ...(from === undefined ? {} : { atSeconds: clock.at(from) }),
    });
  }
}

/** Checks that users are served again, as far as the scope lets them in. */
async function untilBack({ checks, request }: DrillFacts, stage: Stage, witness: WitnessRun, since: number): Promise<void> {
  const mode = stage.definition.scopes[request.scope]?.pins.maintenance?.mode ?? "off";
  const what = mode === "off" ? "writes" : "reads";
  if (mode === "full") return void checks.push(skipped("service-back", "the scope keeps users out"));
  const back = await untilSeen(
    witness,
    (seen) => (mode === "off" ? seen.acknowledgedAt : seen.readAt).some((at) => at > since),
    BACK_LIMIT_MS,
  );
  checks.push(
    back
      ? passed("service-back", `the witness's ${what} are answered again`)
      : failed("service-back", `the witness's ${what} were not answered again within ${BACK_LIMIT_MS / 1000} s`),
  );
}

/** The next watch, with a fast clock. */
async function rehearseWatch({ checks, request }: DrillFacts, stage: Stage, next: NextWatch | null): Promise<void> {
  if (next === null) return void checks.push(skipped("watch", "this scope has no watch"));
  if (!request.watch) return void checks.push(skipped("watch", `${next.id}: --no-watch`));
  const name = `${stage.definition.name}/${next.id}`;
  if (request.rehearsed.has(name)) return void checks.push(skipped("watch", `${next.id}: rehearsed by another drill of this run`));
  request.rehearsed.add(name);
  const { json, failure } = await runVerb<WatchOutcome>(stage.stack, "watch", [], { BACKOUT_CLOCK_SPEED: String(WATCH_SPEED) });
  if (json?.passed === undefined) return void checks.push(failed("watch", failure ?? "the watch gave no answer"));
  const { passed: well, polls, of, reasons, gaps } = json;
  const told = `${next.id}: ${polls} of ${of} polls, clock ${WATCH_SPEED} times as fast${gaps.length === 0 ? "" : `, ${gaps.length} gaps`}`;
  checks.push(well ? passed("watch", told) : failed("watch", `${told}: ${reasons.join("; ")}`));
}

/** A second verification, by the command and by the drill itself. */
async function verifyAgain({ checks, request }: DrillFacts, stage: Stage): Promise<void> {
  const [{ json, failure }, outside] = await Promise.all([
    runVerb<{ passed: boolean; checks: CheckResult[] }>(stage.stack, "verify", []),
    releasesOutside(stage),
  ]);
  checks.push(...(json?.checks ?? []));
  // The failed checks are listed already.
  if (json?.passed !== true) checks.push(failed("verify", failure ?? "verification from outside has failed"));
  checks.push(releasesCheck(outside));
  checks.push(await faultGone(stage, request.fault));
}
