"use strict";
const element = (id) => document.getElementById(id);
let token = null;

async function call(path, options = {}) {
  const headers = { "content-type": "application/json", ...(token ? { authorization: `Bearer ${token}` } : {}) };
  const response = await fetch(path, { ...options, headers });
  if (!response.ok) throw new Error((await response.json().catch(() => ({}))).error ?? `the server answered ${response.status}`);
  return response;
}

function listPath(more) {
  const fields = new FormData(element("filter"));
  const query = new URLSearchParams({ organizationId: fields.get("organizationId"), sort: fields.get("sort"), ...more });
  if (fields.get("category")) query.set("category", fields.get("category"));
  return `/api/pfa-data?${query}`;
}

async function attempt(work) {
  element("state").textContent = "";
  try {
    await work();
  } catch (error) {
    element("state").textContent = error.message;
  }
}

async function show() {
  const { rows, count } = await (await call(listPath({}))).json();
  element("table").innerHTML = renderRows(rows);
  element("state").textContent = `${count} rows`;
}

element("login").addEventListener("submit", (event) => {
  event.preventDefault();
  const fields = Object.fromEntries(new FormData(event.target));
  void (async () => {
    element("data").hidden = false;
    await attempt(async () => {
      ({ token } = await (await call("/api/auth/login", { method: "POST", body: JSON.stringify(fields) })).json());
      element("login").hidden = true;
      await show();
      window.dispatchEvent(new Event("logged-in"));
    });
  })();
});
element("filter").addEventListener("submit", (event) => {
  event.preventDefault();
  void attempt(show);
});
element("export").addEventListener("click", () => {
  void attempt(async () => {
    const content = await (await call(listPath({ format: "csv" }))).blob();
    const link = document.createElement("a");
    link.href = URL.createObjectURL(content);
    link.download = "pfa-data.csv";
    link.click();
    URL.revokeObjectURL(link.href);
  });
});

async function showBanner() {
  const answer = await fetch("/__backout/maintenance").catch(() => null);
  const state = answer?.ok ? await answer.json().catch(() => null) : null;
  element("banner").hidden = !state || state.mode === "off";
  element("banner").textContent = state?.message ?? "";
}
void showBanner();
setInterval(() => void showBanner(), 15000);
