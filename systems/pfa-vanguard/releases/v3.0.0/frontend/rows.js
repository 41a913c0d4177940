"use strict";
const escapeHtml = (value) => String(value).replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);

function renderRows(rows) {
  const body = rows.map(
    (row) =>
      `<tr><td>${escapeHtml(row.pfaId)}</td><td>${escapeHtml(row.category)}</td><td>${escapeHtml(row.description)}</td>` +
      `<td class="number">${escapeHtml(row.totalCost.toFixed(2))}</td></tr>`,
  );
  return `<table><thead><tr><th>PFA id</th><th>Category</th><th>Description</th><th>Total cost</th></tr></thead><tbody>${body.join("")}</tbody></table>`;
}
