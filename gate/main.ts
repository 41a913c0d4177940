/** The traffic gate as a process: `main.ts <config.json>`. Ends on SIGTERM; exit code 1 and one line on standard error where it cannot start. */
import { GateConfigError, readGateConfig } from "./config.ts";
import { GatePortError, openGate } from "./gate.ts";

async function main(): Promise<void> {
  const file = process.argv[2];
  if (file === undefined) throw new GateConfigError("(none)", "name the configuration file as first argument");
  const config = readGateConfig(file);
  const gate = await openGate(config, (state) => {
    const what = state === null ? `closed: no usable state in ${config.stateFile}` : `${state.mode}, epoch ${state.epoch}`;
    console.log(`${new Date().toISOString()} ${what}`);
  });
  console.log(`${new Date().toISOString()} listening ${JSON.stringify(gate.ports)}`);
  let ending = false;
  const end = () => {
    if (ending) return;
    ending = true;
    void gate.close().finally(() => process.exit(0));
  };
  process.on("SIGTERM", end);
  process.on("SIGINT", end);
}

try {
  await main();
} catch (error) {
  const known = error instanceof GatePortError || error instanceof GateConfigError;
  console.error(known ? error.message : error);
  process.exit(1);
}
