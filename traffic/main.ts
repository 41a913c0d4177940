/**
 * The traffic gate as a process: `main.ts <config.json>`. Reads that file again on SIGHUP and ends on SIGTERM; if it cannot start: exit
 * code 1 and one line on standard error; if it cannot change its configuration: only the line, and it continues unchanged.
 */
import { GateConfigError, readGateConfig } from "./config.ts";
import { GatePortError, openGate } from "./gate.ts";
import { TlsFilesError } from "./tls.ts";

async function main(): Promise<void> {
  const file = process.argv[2];
  if (file === undefined) throw new GateConfigError("(none)", "name the configuration file as first argument");
  const config = readGateConfig(file);
  const say = (line: string): void => console.log(`${new Date().toISOString()} ${line}`);
  const opening = openGate(
    config,
    (state) => say(state === null ? `closed: no usable state in ${config.stateFile}` : `${state.mode}, epoch ${state.epoch}`),
    say,
  );
  // Installed before the first listener opens: without a handler the signal would end the process.
  let changing: Promise<unknown> = opening;
  process.on("SIGHUP", () => {
    changing = changing.then(async () => {
      const gate = await opening;
      try {
        await gate.change(readGateConfig(file));
        say(`listening ${JSON.stringify(gate.ports)}`);
      } catch (error) {
        console.error(saidOf(error));
      }
    });
  });
  const gate = await opening;
  say(`listening ${JSON.stringify(gate.ports)}`);
  let ending = false;
  const end = () => {
    if (ending) return;
    ending = true;
    void gate.close().finally(() => process.exit(0));
  };
  process.on("SIGTERM", end);
  process.on("SIGINT", end);
}

function saidOf(error: unknown): unknown {
  return error instanceof GatePortError || error instanceof GateConfigError || error instanceof TlsFilesError ? error.message : error;
}

try {
  await main();
} catch (error) {
  console.error(saidOf(error));
  process.exit(1);
}
