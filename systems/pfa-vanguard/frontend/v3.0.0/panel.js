"use strict";
window.addEventListener("logged-in", () => {
  const panel = document.createElement("p");
  panel.id = "panel";
  panel.textContent = "Synchronisation with PEMS is not part of this release";
  element("data").append(panel);
});
