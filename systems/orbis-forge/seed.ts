/** Data of any size. The same number of rows gives the same content. */
import type { DataAccess } from "../../config/system/check.ts";

/** Phases of a project, and steps of a phase. */
const PHASES = 3;
const STEPS = 4;

/** Adds `rows` rows: projects with their phases and steps, and their history. */
export async function seed(data: DataAccess, rows: number): Promise<void> {
  const database = data.sqlite("production");
  const projects = Math.max(3, Math.ceil(rows / (1 + PHASES + PHASES * STEPS)));
  const last = database.prepare("SELECT coalesce(max(id), 0) AS id FROM projects").get() as { id: number };
  const at = "2025-03-01T08:00:00.000Z";
  database.exec("BEGIN IMMEDIATE");
  try {
    const project = database.prepare("INSERT INTO projects (id, code, name, status, updated_at) VALUES (?, ?, ?, 'active', ?)");
    const phase = database.prepare("INSERT INTO phases (project_id, name, position, updated_at) VALUES (?, ?, ?, ?)");
    const step = database.prepare("INSERT INTO step_progress (phase_id, step, percent, updated_at) VALUES (?, ?, ?, ?)");
    for (let n = 1; n <= projects; n++) {
      const id = last.id + n;
      project.run(id, `OF-${String(id).padStart(6, "0")}`, `Project ${id}`, at);
      for (let position = 1; position <= PHASES; position++) {
        const { lastInsertRowid } = phase.run(id, `Phase ${position}`, position, at);
        for (let place = 1; place <= STEPS; place++) step.run(lastInsertRowid, `Step ${place}`, (id * 7 + place * 13) % 101, at);
      }
    }
    database
      .prepare(
        "INSERT INTO governance_logs (timestamp, event_type, user_id, user_role, resource_type, action, success, details) VALUES (?, 'data_change', 'admin', 'superuser', 'projects', 'import', 1, '{}')",
      )
      .run(at);
    database.exec("COMMIT");
  } catch (error) {
    database.exec("ROLLBACK");
    throw error;
  }
  await Promise.resolve();
}
