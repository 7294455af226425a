"""The page's style sheet: light and dark, wide and narrow, on screen and on paper."""

SHEET = """
:root {
  color-scheme: light dark;
  --page: #f6f7f9; --card: #ffffff; --ink: #171a21; --soft: #5a6272; --line: #e3e6ec;
  --hit: 37 99 235; --miss: 217 83 20; --one: #98a1b3; --two: #2563eb; --good: #12805c;
  --warn: #fff6e0; --warn-line: #f0cf85; --warn-ink: #6b4a00;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #101218; --card: #181b23; --ink: #e9ecf3; --soft: #98a1b3; --line: #2a2f3b;
    --hit: 88 140 255; --miss: 240 120 60; --one: #7d879b; --two: #6aa0ff; --good: #3ecf9b;
    --warn: #2b2413; --warn-line: #6b5520; --warn-ink: #f3d795;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--page); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif;
  -webkit-text-size-adjust: 100%;
}
main { max-width: 1060px; margin: 0 auto; padding: 40px 20px 56px; }
header p { margin: 0; }
.eyebrow { color: var(--soft); font-size: 14px; letter-spacing: .02em; }
h1 { font-size: 34px; line-height: 1.2; margin: 4px 0 8px; letter-spacing: -.02em;
  overflow-wrap: anywhere; }
h2 { font-size: 20px; margin: 0 0 4px; letter-spacing: -.01em; }
.lead { font-size: 18px; max-width: 46em; }
.muted, .hint { color: var(--soft); }
.hint { font-size: 14px; margin: 0 0 16px; max-width: 52em; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 14px;
  padding: 22px 24px 24px; margin-top: 20px; }
.cards { display: grid; grid-template-columns: 1.5fr 1fr 1fr 1fr; gap: 14px; margin-top: 26px; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 14px;
  padding: 16px 18px; }
.card b { display: block; font-size: 28px; line-height: 1.25; letter-spacing: -.02em;
  font-variant-numeric: tabular-nums; white-space: nowrap; }
.card span { color: var(--soft); font-size: 13.5px; display: block; }
.card.main { background: rgb(var(--hit)); border-color: transparent; color: #fff;
  grid-row: span 2; display: flex; flex-direction: column; justify-content: center;
  padding: 22px 24px; }
.card.main b { font-size: 50px; line-height: 1.15; }
.card.main span { font-size: 15px; } .card.main .gauge + span { font-size: 13px; margin-top: 6px; }
.gauge { width: 100%; height: 16px; margin-top: 16px; overflow: visible; }
.gauge .track { fill: rgb(255 255 255 / .25); } .gauge .range { fill: rgb(255 255 255 / .75); }
.gauge .base { stroke: rgb(255 255 255 / .6); stroke-width: 1.5; }
.gauge .value { stroke: #fff; stroke-width: 3; stroke-linecap: round; }
.card.main span { color: rgb(255 255 255 / .85); }
@media (prefers-color-scheme: dark) { .card.main { background: #2557c7; } }
.notes { background: var(--warn); border-color: var(--warn-line); color: var(--warn-ink); }
.notes ul { margin: 6px 0 0; padding-left: 20px; }
.notes li { overflow-wrap: anywhere; }
.two { display: grid; grid-template-columns: repeat(auto-fit, minmax(320px, 1fr)); gap: 24px; }
figure { margin: 0; min-width: 0; }
figcaption { font-size: 14px; margin-bottom: 6px; display: flex; gap: 16px; flex-wrap: wrap; }
.legend { color: var(--soft); white-space: nowrap; }
.key { display: inline-block; width: 16px; height: 3px; border-radius: 2px; margin-right: 6px;
  vertical-align: middle; }
.key.one { background: var(--one); } .key.two { background: var(--two); }
.key.best { background: var(--good); }
svg.chart { width: 100%; height: auto; display: block; overflow: visible; }
.grid { stroke: var(--line); stroke-width: 1; }
.tick, .label { fill: var(--soft); font-size: 12px; font-variant-numeric: tabular-nums; }
.best { stroke: var(--good); stroke-width: 1.5; stroke-dasharray: 4 4; }
.curve { fill: none; stroke-width: 2.2; stroke-linejoin: round; stroke-linecap: round; }
.curve.one { stroke: var(--one); } .curve.two { stroke: var(--two); }
.dot.one { fill: var(--one); } .dot.two { fill: var(--two); }
.point { fill: var(--two); fill-opacity: .45; }
.scroll { overflow-x: auto; min-width: 0; }
.side { display: flex; flex-wrap: wrap; gap: 24px 40px; align-items: flex-start; }
.side > div { max-width: 100%; } .side > .grow { flex: 1 1 380px; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 14.5px; }
table.wide { width: 100%; }
th, td { padding: 7px 12px; text-align: right; border-bottom: 1px solid var(--line);
  white-space: nowrap; }
th { color: var(--soft); font-weight: 600; font-size: 13px; }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
th:last-child, td:last-child { padding-right: 0; }
tr:last-child td, tr:last-child th { border-bottom: 0; }
td.text { text-align: left; white-space: normal; overflow-wrap: anywhere; }
tr.total td { font-weight: 600; }
td code, p code { font: 13.5px/1.4 ui-monospace, "SF Mono", Menlo, Consolas, monospace; }
.matrix { width: auto; border-collapse: separate; border-spacing: 2px; }
.matrix td, .matrix th { border: 0; padding: 0; text-align: center; height: 34px; min-width: 38px; }
.matrix td { border-radius: 5px; background: rgb(var(--tone) / var(--v)); font-size: 13.5px; }
.matrix td.hit { --tone: var(--hit); font-weight: 600; } .matrix td.miss { --tone: var(--miss); }
.matrix td.full { color: #fff; } .matrix td.none { color: var(--soft); opacity: .45; }
.matrix tbody th { text-align: right; padding: 0 10px 0 0; position: sticky; left: 0;
  background: var(--card); }
.matrix th span { display: inline-block; max-width: 11em; overflow: hidden;
  text-overflow: ellipsis; vertical-align: middle; }
.matrix.tall thead th { height: auto; vertical-align: bottom; padding-bottom: 6px; }
.matrix.tall thead th:not(:first-child) span { writing-mode: vertical-rl;
  transform: rotate(180deg); max-height: 9em; max-width: none; }
.matrix thead th:first-child { text-align: right; padding-right: 10px; font-weight: 400;
  vertical-align: bottom; }
.bar { display: inline-block; width: 44px; height: 6px; border-radius: 3px; margin-left: 10px;
  background: linear-gradient(to right, var(--two) var(--w), var(--line) var(--w));
  vertical-align: middle; }
.mistakes { display: grid; grid-template-columns: repeat(auto-fill, minmax(104px, 1fr));
  gap: 16px 14px; }
.mistakes img { width: 100%; aspect-ratio: 1; object-fit: contain; image-rendering: pixelated;
  border-radius: 8px; background: #000; display: block; }
.mistakes figcaption { display: block; margin-top: 6px; font-size: 13px; line-height: 1.35;
  overflow-wrap: anywhere; }
.mistakes figcaption b { color: rgb(var(--miss)); }
.stack { width: 100%; height: 26px; display: block; border-radius: 7px; overflow: hidden; }
.p0 { fill: #2563eb; background: #2563eb; } .p1 { fill: #f59e0b; background: #f59e0b; }
.p2 { fill: #10b981; background: #10b981; } .p3 { fill: #a855f7; background: #a855f7; }
.p4 { fill: #ef476f; background: #ef476f; } .p5 { fill: #06b6d4; background: #06b6d4; }
.p6 { fill: #94a3b8; background: #94a3b8; }
.swatch { display: inline-block; width: 11px; height: 11px; border-radius: 3px;
  margin-right: 9px; }
pre { margin: 0; padding: 14px 16px; background: var(--page); border: 1px solid var(--line);
  border-radius: 10px; overflow-x: auto;
  font: 13.5px/1.5 ui-monospace, Menlo, Consolas, monospace; }
footer { color: var(--soft); font-size: 13.5px; margin-top: 24px; }
@media (max-width: 820px) {
  .cards { grid-template-columns: 1fr 1fr; } .card.main { grid-column: 1 / -1; }
}
@media (max-width: 560px) {
  main { padding: 24px 14px 40px; } section { padding: 18px 16px; } h1 { font-size: 27px; }
  .cards { gap: 10px; } .card { padding: 13px 14px; }
  .card b { font-size: 23px; } .two { grid-template-columns: minmax(0, 1fr); }
  .bar { display: none; } td, th { padding: 7px 8px; }
  .matrix td, .matrix th { height: 27px; min-width: 24px; font-size: 12px; }
  .matrix tbody th { padding-right: 6px; } .tick, .label { font-size: 15px; }
}
@media print { body { background: #fff; } section, .card { break-inside: avoid; } }
"""
