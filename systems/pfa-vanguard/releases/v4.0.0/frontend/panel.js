"use strict";
// The panel is left out where the server has no synchronisation, or has it switched off.
window.addEventListener("logged-in", () => {
  void call("/api/sync/status")
    .then((response) => response.json())
    .then(({ pending, pushed, failed }) => {
      const panel = document.createElement("p");
      panel.id = "panel";
      panel.textContent = `PEMS: ${pushed} pushed, ${pending} pending, ${failed} failed`;
      element("data").prepend(panel);
    })
    .catch(() => undefined);
});
