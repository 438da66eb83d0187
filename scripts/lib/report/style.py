"""The report's style sheet: one column of text, quiet tables, light and dark."""

CSS = """
:root {
  color-scheme: light dark;
  --paper: #fbfaf8; --card: #ffffff; --ink: #1d1f23; --ink-2: #666a72; --line: #e4e2dd;
  --series-1: #2a6fb0; --series-2: #c8641b; --good: #1c7a4a; --mark: #eef4fa; --lost: #f0d9c8;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #15171b; --card: #1c1f24; --ink: #e6e4df; --ink-2: #9a9ea6; --line: #31353c;
    --series-1: #6fb0ea; --series-2: #f0985a; --good: #62c793; --mark: #20303f; --lost: #5a3d2a;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.6 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "PingFang SC", "Microsoft YaHei",
    "Noto Sans CJK SC", sans-serif;
}
main { max-width: 62rem; margin: 0 auto; padding: 3.5rem 1.5rem 5rem; }
h1 { font-size: 2.1rem; line-height: 1.2; letter-spacing: -0.02em; margin: 0 0 0.4rem; }
h2 { font-size: 1.25rem; letter-spacing: -0.01em; margin: 3.2rem 0 0.6rem; }
h3 { font-size: 1rem; margin: 1.8rem 0 0.5rem; }
p { margin: 0.4rem 0 1rem; max-width: 44rem; }
.lead, .note { color: var(--ink-2); }
.note { font-size: 0.9rem; }
code { font: 0.88em ui-monospace, "SF Mono", Menlo, Consolas, monospace; overflow-wrap: anywhere; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(10.5rem, 1fr)); gap: 0.9rem; }
.tiles { margin-top: 1.8rem; }
.tile, figure, .answer { background: var(--card); border: 1px solid var(--line); border-radius: 0.6rem; }
.tile { padding: 1rem 1.1rem; }
.tile b { display: block; font-size: 1.7rem; line-height: 1.2; font-weight: 600; letter-spacing: -0.02em; }
.tile span { display: block; color: var(--ink-2); font-size: 0.85rem; line-height: 1.4; margin-top: 0.25rem; }
.scroll { overflow-x: auto; margin: 0.6rem 0 1rem; }
table { border-collapse: collapse; min-width: min(36rem, 100%); font-size: 0.92rem; }
th { color: var(--ink-2); font-weight: 500; font-size: 0.84rem; vertical-align: bottom; }
th, td { padding: 0.42rem 1.4rem 0.42rem 0; border-bottom: 1px solid var(--line); }
th.text, td.text { text-align: left; }
th:first-child, td:first-child { white-space: nowrap; }
th.number, td.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
th:last-child, td:last-child { padding-right: 0; }
td b { color: var(--good); font-weight: 600; }
td.text code { white-space: pre-wrap; }
.bar { display: inline-block; width: 7rem; height: 0.5rem; border-radius: 0.25rem; background: var(--line); }
.bar > div { height: 100%; border-radius: 0.25rem; background: var(--series-1); }
.funnel { display: grid; grid-template-columns: minmax(9rem, 15rem) minmax(6rem, 1fr) auto auto; }
.funnel { column-gap: 1.4rem; font-size: 0.92rem; margin: 0.6rem 0 1rem; }
.funnel .head { color: var(--ink-2); font-size: 0.84rem; text-align: right; padding-bottom: 0.4rem; }
.funnel svg { width: 100%; height: calc(100% + 1px); min-height: 2.9rem; display: block; }
.funnel polygon.kept { fill: var(--series-1); }
.funnel polygon.lost { fill: var(--lost); }
.funnel polygon.held { fill: var(--good); }
.funnel .rule, .funnel .figure { line-height: 1.3; padding: 0.45rem 0; }
.funnel .figure { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.funnel small { display: block; color: var(--ink-2); font-size: 0.8rem; }
.curves { display: grid; grid-template-columns: repeat(auto-fit, minmax(20rem, 1fr)); gap: 1rem; }
figure { margin: 0.6rem 0 0; padding: 1rem; }
figcaption { font-size: 0.9rem; margin-bottom: 0.5rem; }
figure svg { width: 100%; height: auto; display: block; }
figure svg text { font-family: inherit !important; }
.answers { display: grid; grid-template-columns: repeat(auto-fit, minmax(13rem, 1fr)); gap: 0.9rem; }
.answers { align-items: start; }
.answer { padding: 0.8rem 1rem; }
.answer.best { background: var(--mark); }
.answer h4 { margin: 0 0 0.3rem; font-size: 0.8rem; font-weight: 500; color: var(--ink-2); }
.answer p { margin: 0; font-size: 0.92rem; line-height: 1.55; white-space: pre-wrap; overflow-wrap: anywhere; }
details { margin: 0.5rem 0; }
summary { cursor: pointer; color: var(--ink-2); font-size: 0.92rem; }
footer { margin-top: 4rem; padding-top: 1rem; border-top: 1px solid var(--line); }
footer { color: var(--ink-2); font-size: 0.85rem; }
@media print { details > * { display: block; } .tile, figure, .answer { break-inside: avoid; } }
"""
