/** Both directions of a migration in one file, told apart by comments. Pure. */

const MARKERS = {
  dbmate: { up: /^--\s*migrate:up\b/, down: /^--\s*migrate:down\b/ },
  goose: { up: /^--\s*\+goose\s+up\b/i, down: /^--\s*\+goose\s+down\b/i },
} as const;

export type Sections = keyof typeof MARKERS;

export function hasSections(text: string, tool: Sections): boolean {
  return text.split(/\r?\n/).some((line) => MARKERS[tool].up.test(line.trim()));
}

/** One direction's statements, on the lines they have in the file; empty where the file has none. */
export function sectionOf(text: string, tool: Sections, direction: "up" | "down"): string {
  const { up, down } = MARKERS[tool];
  let current: "up" | "down" | null = null;
  const lines = text.split(/\r?\n/).map((line) => {
    const trimmed = line.trim();
    if (up.test(trimmed)) current = "up";
    else if (down.test(trimmed)) current = "down";
    else if (current === direction) return line;
    return "";
  });
  return lines.join("\n").trimEnd();
}
