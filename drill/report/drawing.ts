/** The timeline as inline SVG. Status is written as well as coloured; everything has a text a screen reader finds. */
import type { DrillReport } from "../../state/drill-reports/schema.ts";
import { timeline } from "./timeline.ts";
import { html } from "./words.ts";
import { inMilliseconds, inSeconds } from "../../state/drill-reports/durations.ts";

const LABELS = 150;
const WIDTH = 640;
const TRAIL = 170;
const ROW = 26;
const TOP = 44;

const round = (value: number): string => String(Math.round(value * 100) / 100);

export function drawing(report: DrillReport): string {
  const { bars, ticks, unavailable, width } = timeline(report, WIDTH);
  const bottom = TOP + bars.length * ROW;
  const at = (x: number): string => round(LABELS + x);
  const parts = [
    `<svg viewBox="0 0 ${LABELS + WIDTH + TRAIL} ${bottom + 30}" role="img" aria-labelledby="timeline-title">`,
    `<title id="timeline-title">Timeline of the drill: ${bars.length} phases, ${inSeconds(report.seconds)} in all</title>`,
  ];
  if (unavailable !== null) {
    const label = `writes unavailable${report.rollback?.unavailableMs == null ? "" : ` ${inMilliseconds(report.rollback.unavailableMs)}`}`;
    const middle = unavailable.x + unavailable.width / 2;
    const anchor = middle < width * 0.2 ? "start" : middle > width * 0.8 ? "end" : "middle";
    parts.push(
      `<rect class="away" x="${at(unavailable.x)}" y="${TOP - 8}" width="${round(unavailable.width)}" height="${bottom - TOP + 8}"><title>${html(label)}</title></rect>`,
      `<text class="note" x="${at(middle)}" y="${TOP - 16}" text-anchor="${anchor}">${html(label)}</text>`,
    );
  }
  for (const tick of ticks) {
    parts.push(
      `<line class="grid" x1="${at(tick.x)}" y1="${TOP - 8}" x2="${at(tick.x)}" y2="${bottom}"></line>`,
      `<text class="note" x="${at(tick.x)}" y="${bottom + 18}" text-anchor="middle">${round(tick.seconds)} s</text>`,
    );
  }
  bars.forEach((bar, index) => {
    const y = TOP + index * ROW;
    const name = bar.name.length > 22 ? `${bar.name.slice(0, 21)}…` : bar.name;
    const budget = bar.budgetSeconds === null ? "no budget" : `budget ${inSeconds(bar.budgetSeconds)}`;
    parts.push(`<g><title>${html(`${bar.name}: ${bar.status}, ${inSeconds(bar.seconds)}, ${budget}`)}</title>`);
    parts.push(`<text x="${LABELS - 8}" y="${y + 14}" text-anchor="end">${html(name)}</text>`);
    if (bar.budgetSeconds !== null) {
      const end = bar.budgetX ?? width;
      parts.push(`<rect class="budget" x="${at(bar.x)}" y="${y + 1}" width="${round(Math.max(end - bar.x, 0))}" height="18"></rect>`);
      if (bar.beyond) parts.push(`<path class="beyond" d="M ${at(width)} ${y + 5} l 6 5 l -6 5"></path>`);
    }
    parts.push(`<rect class="${bar.status}" x="${at(bar.x)}" y="${y + 4}" width="${round(bar.width)}" height="12"></rect>`);
    parts.push(
      `<text class="note" x="${LABELS + WIDTH + 12}" y="${y + 14}">${html(`${inSeconds(bar.seconds)}, ${bar.status}`)}</text></g>`,
    );
  });
  parts.push("</svg>");
  return parts.join("\n");
}
