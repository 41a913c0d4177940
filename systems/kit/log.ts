/** One JSON object per line: events on standard output, errors on standard error. */
export type Level = "info" | "warn" | "error";

export interface Log {
  info(message: string, data?: Record<string, unknown>): void;
  /** A temporary problem that resolves itself; standard output. */
  warn(message: string, data?: Record<string, unknown>): void;
  error(message: string, data?: Record<string, unknown>): void;
}

export function createLog(service: string, release: string): Log {
  const line = (level: Level, message: string, data: Record<string, unknown> = {}): string =>
    `${JSON.stringify({ time: new Date().toISOString(), level, service, release, message, ...data })}\n`;
  return {
    info: (message, data) => void process.stdout.write(line("info", message, data)),
    warn: (message, data) => void process.stdout.write(line("warn", message, data)),
    error: (message, data) => void process.stderr.write(line("error", message, data)),
  };
}

/** Message and code of a thrown value, for a log line. */
export function describeError(error: unknown): { reason: string; code?: string } {
  if (!(error instanceof Error)) return { reason: String(error) };
  const code = (error as { code?: unknown }).code;
  return { reason: error.message || error.name, ...(typeof code === "string" ? { code } : {}) };
}

/** The programs write errors as JSON; another line is critical if it looks like a crash. */
export function isCritical(line: string): boolean {
  try {
    const { level } = JSON.parse(line) as { level?: string };
    return level === "error" || level === "fatal";
  } catch {
    return /error|exception|fatal|panic|out of memory/i.test(line);
  }
}
