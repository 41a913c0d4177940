import { askingCheck, failed, passed } from "../../kit/outcome.ts";

export const frontendVersion = askingCheck(
  "frontend-version",
  "5 The frontend loads and has the right version metadata",
  async (context) => {
    const declared = context.releases["frontend"] ?? "none";
    const site = context.url("frontend");
    const page = await context.fetch(`${site}/`);
    const html = await page.text();
    if (page.status !== 200) return failed(`the page answered ${page.status}`);
    const shown = /<meta name="version" content="([^"]*)"/.exec(html)?.[1];
    if (shown !== declared) return failed(`the page says ${shown ?? "no version"}, declared is ${declared}`);
    const file = await context.fetch(`${site}/version.json`);
    const { version } = file.status === 200 ? ((await file.json()) as { version?: string }) : {};
    if (version !== declared) return failed(`version.json says ${version ?? "nothing"}, declared is ${declared}`);
    return passed(`page and version.json say ${declared}`);
  },
);
