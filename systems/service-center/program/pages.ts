/** The pages. They load without a login, as a page does before its user has logged in; what they show they ask the API for. */
import type { Route } from "../../kit/http.ts";

export interface Page {
  path: string;
  title: string;
  /** Entry in the navigation of every page; absent for pages that have none. */
  link?: string;
  body: string;
}

export const BASE_PAGES: Page[] = [
  {
    path: "/login",
    title: "Log in",
    body: '<form><input name="username"><input name="password" type="password"><button>Log in</button></form>',
  },
  { path: "/dashboard", title: "Dashboard", link: "Dashboard", body: '<section data-source="/api/dashboard"></section>' },
  { path: "/tickets", title: "Tickets", link: "Tickets", body: '<table data-source="/api/tickets"></table>' },
];

export const PHASE_2_PAGES: Page[] = [
  { path: "/my-tasks", title: "My Tasks", link: "My Tasks", body: '<table data-source="/api/tasks"></table>' },
  { path: "/templates", title: "Templates", link: "Templates", body: '<table data-source="/api/templates"></table>' },
];

export function pageRoutes(pages: readonly Page[], release: string): Route[] {
  const navigation = pages.flatMap(({ path, link }) => (link === undefined ? [] : [`<a href="${path}">${link}</a>`])).join(" ");
  const html = ({ title, body }: Page): string =>
    `<!doctype html><html lang="en"><head><title>${title} – Service Center</title><meta name="version" content="${release}" /></head>` +
    `<body><nav>${navigation}</nav><main><h1>${title}</h1>${body}</main></body></html>\n`;
  const first = pages[0]!;
  return [{ ...first, path: "/" }, ...pages].map((page) => ({
    method: "GET",
    path: page.path,
    handle: () => ({ text: html(page), type: "text/html; charset=utf-8" }),
  }));
}
