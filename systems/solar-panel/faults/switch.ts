/** How a drill switches a defect of v2.0.0 on, and how it tries what the line would do. */
import type { DrillContext } from "../../../config/system/drill.ts";
import { accessOf, switchFault } from "../../kit/fault-switch.ts";
import { login, newPanel, request } from "../api.ts";

/** @throws FaultNotSwitchedError */
export async function switchLine(context: DrillContext, fault: string): Promise<void> {
  await switchFault(context, { service: "line", release: "v2.0.0", fault });
}

/** Begins a panel, passes it on and takes it off again. Resolves with the refusal; null: all of it was accepted. */
export async function tryPanel(context: DrillContext): Promise<string | null> {
  const access = accessOf(context);
  const token = await login(access);
  const serial = `DRILL-${Date.now()}`;
  const path = `/api/panels/${serial}`;
  const begun = await request(access, token, "POST", "/api/panels", newPanel(serial, "tried by a drill"));
  if (begun.status !== 200) return `POST /api/panels answers ${begun.status}: ${begun.text}`;
  try {
    const passed = await request(access, token, "PUT", path, { notes: "passed on by a drill" });
    return passed.status === 200 ? null : `PUT /api/panels answers ${passed.status}: ${passed.text}`;
  } finally {
    await request(access, token, "DELETE", path);
  }
}
