/** A program's settings, read from its environment. */
export class SettingMissingError extends Error {
  readonly setting: string;
  constructor(setting: string) {
    super(`environment variable ${setting} is not set; the program cannot start without it`);
    this.name = "SettingMissingError";
    this.setting = setting;
  }
}

/** @throws SettingMissingError */
export function required(setting: string): string {
  const value = process.env[setting];
  if (value === undefined || value === "") throw new SettingMissingError(setting);
  return value;
}

export function optional(setting: string): string | null {
  const value = process.env[setting];
  return value === undefined || value === "" ? null : value;
}

/** Port to listen on. @default 0, any free port */
export function portSetting(): number {
  return Number(optional("PORT") ?? 0);
}
