"use strict";
// Draws the charts and lets readers switch between light and dark. Without it, tables and text stay readable.
(() => {
  const root = document.documentElement;
  const charts = [];

  // The page's colours follow the system until a reader chooses.
  const isDark = () => (root.style.colorScheme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  const color = (name) => {
    const probe = document.body.appendChild(document.createElement("span"));
    probe.style.color = `var(--${name})`;
    const found = getComputedStyle(probe).color;
    probe.remove();
    return found;
  };

  // Ticks at round values; uPlot's own for a logarithmic axis are whole powers, which a loss curve rarely crosses.
  const ticks = (low, high, count) => {
    const rough = (high - low) / count;
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = power * [1, 2, 5, 10].find((factor) => factor * power >= rough);
    const found = [];
    for (let tick = Math.ceil(low / step) * step; tick <= high; tick += step) found.push(Number(tick.toPrecision(12)));
    return found;
  };
  const logTicks = (low, high, count) => {
    if (high / low < 10) return ticks(low, high, count);
    const found = [];
    for (let power = 10 ** Math.floor(Math.log10(low)); power <= high; power *= 10)
      for (const factor of [1, 2, 5]) if (factor * power >= low && factor * power <= high) found.push(factor * power);
    return found;
  };
  const number = (value) => (value == null ? "–" : Number(value.toPrecision(4)).toLocaleString("en"));

  // Of a line that was not measured at the step pointed at, the nearest measurement, with its step.
  const nearest = (u, which, index) => {
    const y = u.data[which];
    for (let away = 0; which && away < y.length; away++)
      for (const place of [index - away, index + away]) if (y[place] != null) return place;
    return index;
  };
  const valueAt = (u, value, which, place) => {
    if (place == null) return "–";
    const isElsewhere = place !== u.cursor.idxs[0];
    return number(value) + (isElsewhere ? ` (${u.series[0].label} ${number(u.data[0][place])})` : "");
  };

  function draw(chart) {
    const { data, plot, isLog } = chart;
    const [ink, line] = [color("ink-2"), color("line")];
    chart.drawn?.destroy();
    const axis = { stroke: ink, grid: { stroke: line, width: 1 }, ticks: { show: false }, font: "12px system-ui, sans-serif", labelFont: "12px system-ui, sans-serif" };
    const padded = (low, high) => (low === high ? [low * 0.9 || -1, high * 1.1 || 1] : [low, high]);
    const options = {
      width: plot.clientWidth,
      height: Math.max(220, Math.min(340, plot.clientWidth * 0.6)),
      cursor: { drag: { x: true, y: false }, points: { size: 7 }, dataIdx: nearest },
      legend: { markers: { width: 2 } },
      scales: {
        x: { time: false, range: (_, low, high) => padded(low, high) },
        y: {
          distr: isLog ? 3 : 1,
          range: (_, low, high) => {
            [low, high] = padded(low, high);
            const margin = 0.05 * (high - low);
            return isLog ? [low / (high / low) ** 0.05, high * (high / low) ** 0.05] : [low - margin, high + margin];
          },
        },
      },
      axes: [
        { ...axis, label: data.xLabel, size: 30, labelSize: 22, splits: (u, _, low, high) => ticks(low, high, Math.max(2, u.width / 90)), values: (_, found) => found.map(number) },
        { ...axis, label: data.yLabel, size: 50, labelSize: 22, splits: (_u, _, low, high) => (isLog ? logTicks : ticks)(low, high, 6), filter: (_, found) => found, values: (_, found) => found.map(number) },
      ],
      series: [
        { label: data.xLabel, value: (_, value) => number(value) },
        ...data.lines.map((one) => {
          const stroke = color(`series-${1 + (one.color % 6)}`);
          const few = one.y.filter((value) => value != null).length <= 40;
          return {
            label: one.label, stroke, width: 2, dash: one.dashed ? [6, 4] : [], spanGaps: true,
            points: { show: few, size: 6, fill: stroke }, value: valueAt,
          };
        }),
      ],
    };
    chart.drawn = new uPlot(options, [data.x, ...data.lines.map((one) => one.y)], plot);
  }

  const redraw = () => charts.forEach(draw);

  function addChart(figure) {
    const data = JSON.parse(figure.querySelector("script").textContent);
    const chart = { figure, data, plot: figure.querySelector(".plot"), isLog: false };
    charts.push(chart);
    const tools = document.createElement("p");
    tools.className = "tools";
    if (data.lines.every((one) => one.y.every((value) => value == null || value > 0))) {
      const choice = tools.appendChild(document.createElement("label"));
      const box = choice.appendChild(document.createElement("input"));
      box.type = "checkbox";
      choice.append(" log scale");
      box.addEventListener("change", () => { chart.isLog = box.checked; draw(chart); });
    }
    tools.append(" Point at a line for its values; drag to zoom, double-click to see all.");
    chart.plot.after(tools);
    draw(chart);
    new ResizeObserver(() => chart.drawn.width !== chart.plot.clientWidth && draw(chart)).observe(chart.plot);
  }

  // In words, too, where a table is wider than the page; what is folded away has no width yet.
  const sized = new ResizeObserver((boxes) => {
    for (const { target } of boxes) target.classList.toggle("is-wide", target.scrollWidth > target.clientWidth + 1);
  });

  function complete(part) {
    for (const figure of part.querySelectorAll("figure.chart")) addChart(figure);
    for (const box of part.querySelectorAll(".scroll")) sized.observe(box);
  }
  complete(document);

  // Newer content for a part of the page. A chart with the same title and lines stays, with its scale and its zoom.
  window.replaceContent = (part, html) => {
    const fresh = document.createElement("template");
    fresh.innerHTML = html;
    const title = (figure) => figure.querySelector("figcaption").textContent;
    const kept = [];
    for (const figure of fresh.content.querySelectorAll("figure.chart")) {
      const data = JSON.parse(figure.querySelector("script").textContent);
      const chart = charts.find((one) => part.contains(one.figure) && title(one.figure) === title(figure));
      if (!chart || chart.data.lines.map((one) => one.label).join() !== data.lines.map((one) => one.label).join()) continue;
      const { min, max } = chart.drawn.scales.x;
      const isZoomed = min > chart.data.x[0] || max < chart.data.x.at(-1);
      chart.figure.querySelector(".scroll").replaceWith(figure.querySelector(".scroll"));
      chart.data = data;
      kept.push([figure, chart, isZoomed && { min, max }]);
    }
    for (const [figure, chart] of kept) figure.replaceWith(chart.figure);
    part.replaceChildren(fresh.content);
    charts.splice(0, charts.length, ...charts.filter((one) => one.figure.isConnected));
    for (const [, { drawn, data }, zoom] of kept) {
      drawn.setData([data.x, ...data.lines.map((one) => one.y)], !zoom);
      if (zoom) drawn.setScale("x", zoom);
    }
    for (const figure of part.querySelectorAll("figure.chart")) if (!charts.some((one) => one.figure === figure)) addChart(figure);
    for (const box of part.querySelectorAll(".scroll")) sized.observe(box);
  };

  const button = document.querySelector("button.theme");
  if (button) {
    const name = () => { button.textContent = isDark() ? "Light colours" : "Dark colours"; };
    button.hidden = false;
    button.addEventListener("click", () => { root.style.colorScheme = isDark() ? "light" : "dark"; name(); redraw(); });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { name(); redraw(); });
    name();
  }
})();
