"use strict";
const escapeHtml = (value) => String(value).replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);

const CATEGORIES = {
  Equipment: { title: "Equipment", colour: "#0b5cad" },
  Labour: { title: "Labour", colour: "#7a3e00" },
  Materials: { title: "Materials", colour: "#2f6b1d" },
  Services: { title: "Services", colour: "#6b1d5e" },
};

function renderRows(rows) {
  const body = rows.map((row) => {
    const { title, colour } = CATEGORIES[row.category];
    return (
      `<tr><td>${escapeHtml(row.pfaId)}</td><td style="color: ${colour}">${title}</td><td>${escapeHtml(row.description)}</td>` +
      `<td class="number">${escapeHtml(row.totalCost.toFixed(2))}</td></tr>`
    );
  });
  return `<table><thead><tr><th>PFA id</th><th>Category</th><th>Description</th><th>Total cost</th></tr></thead><tbody>${body.join("")}</tbody></table>`;
}
