// Three kinds of plots, as SVG of the width at hand: lines, bars with intervals, differences with intervals.
const DASHES = ["", "6 3", "2 3", "8 3 2 3"];
const round = (value) => Math.round(value * 100) / 100;
const shown = (value) => (typeof value === "number" ? String(round(value)) : value);

function listTicks(low, high, count) {
  const rough = (high - low) / count || 1;
  const size = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * size).find((candidate) => candidate >= rough * 0.999);
  const ticks = [];
  for (let tick = Math.ceil(low / step - 1e-9) * step; tick <= high + step * 1e-9; tick += step) ticks.push(Math.round(tick / step) * step);
  return ticks;
}

function makeScale(low, high, first, last) {
  if (high <= low) return () => (first + last) / 2; // a single value, such as the first epoch, stands in the middle
  return (value) => first + ((value - low) / (high - low)) * (last - first);
}

// a mark that says its values where a pointer touches it, and to a screen reader through its title
function makeReadable(mark, text, output) {
  mark.append(draw("title", {}, text));
  for (const event of ["pointerenter", "pointerdown"]) mark.addEventListener(event, () => (output.textContent = text));
  return mark;
}

function drawLines(figure, visible, width, output) {
  const height = 250, left = 48, right = 14, top = 10, bottom = 40;
  const series = figure.series.filter((_, index) => visible[index]);
  const points = series.flatMap((line) => line.points);
  const xs = points.map((point) => point[0]), ys = points.map((point) => point[1]);
  const [xLow, xHigh] = figure.range || [Math.min(...xs), Math.max(...xs)];
  const [yLow, yHigh] = figure.range || [Math.min(0, ...ys), Math.max(...ys, 0.001)];
  const svg = draw("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": figure.title });
  if (!points.length) return svg;
  const x = makeScale(xLow, xHigh, left + 6, width - right), y = makeScale(yLow, yHigh, height - bottom, top);
  for (const tick of listTicks(yLow, yHigh, 5)) {
    svg.append(draw("line", { class: "axis", x1: left, x2: width - right, y1: y(tick), y2: y(tick) }));
    svg.append(draw("text", { x: left - 6, y: y(tick) + 4, "text-anchor": "end" }, shown(tick)));
  }
  const ticks = listTicks(xLow, xHigh, Math.min(8, width / 60)).filter((tick) => figure.range || Number.isInteger(tick));
  for (const tick of ticks) svg.append(draw("text", { x: x(tick), y: height - bottom + 18, "text-anchor": "middle" }, shown(tick)));
  svg.append(draw("text", { x: (left + width) / 2, y: height - 4, "text-anchor": "middle" }, `${figure.x} (${figure.y} upwards)`));
  if (figure.diagonal) svg.append(draw("line", { class: "zero", x1: x(0), y1: y(0), x2: x(1), y2: y(1) }));
  for (const line of series) {
    const path = line.points.map((point) => `${x(point[0])},${y(point[1])}`).join(" ");
    const group = draw("g", { class: `k${line.colour}` }, draw("polyline", { class: "line", points: path, "stroke-dasharray": DASHES[line.dash] }));
    const most = Math.max(...line.points.map((point) => point[2] || 0));
    for (const point of line.points) {
      const radius = point[2] ? 3 + 7 * Math.sqrt(point[2] / most) : 3.5;
      const text = `${line.name}: ${figure.x} ${shown(point[0])}, ${figure.y} ${shown(point[1])}` + (point[2] ? `, ${point[2]} predictions` : "");
      group.append(makeReadable(draw("circle", { class: "dot", cx: x(point[0]), cy: y(point[1]), r: radius, "fill-opacity": point[2] ? 0.65 : 1 }), text, output));
    }
    svg.append(group);
  }
  return svg;
}

function drawBars(figure, visible, width, output) {
  const series = figure.series.filter((_, index) => visible[index]);
  const left = Math.min(170, width * 0.32), right = 44, thick = 13, gap = 12;
  const block = series.length * thick + gap, height = figure.groups.length * block + 34;
  const x = makeScale(0, 100, left, width - right);
  const svg = draw("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": figure.title });
  for (const tick of listTicks(0, 100, width < 480 ? 2 : 5)) {
    svg.append(draw("line", { class: "axis", x1: x(tick), x2: x(tick), y1: 0, y2: height - 32 }));
    svg.append(draw("text", { x: x(tick), y: height - 18, "text-anchor": "middle" }, tick));
  }
  svg.append(draw("text", { x: (left + width) / 2, y: height - 3, "text-anchor": "middle" }, figure.x));
  figure.groups.forEach((name, index) => {
    const top = index * block + gap / 2, letters = Math.floor(left / 7);
    const label = name.length > letters ? name.slice(0, letters - 1) + "…" : name;
    svg.append(draw("text", { class: "name", x: left - 8, y: top + (series.length * thick) / 2 + 4, "text-anchor": "end" }, label, draw("title", {}, name)));
    series.forEach((row, place) => {
      const [value, low, high] = row.bars[index], y = top + place * thick;
      const interval = low === undefined ? "" : `, 95 % interval ${shown(low)} to ${shown(high)}`;
      const bar = draw("rect", { class: "bar", x: left, y, width: Math.max(x(value) - left, 0.5), height: thick - 2 });
      const group = draw("g", { class: `k${row.colour}` }, makeReadable(bar, `${row.name}, ${name}: ${value}${interval}`, output));
      const middle = y + thick / 2 - 1;
      if (low !== undefined) for (const kind of ["halo", "whisker"]) group.append(draw("line", { class: kind, x1: x(low), x2: x(high), y1: middle, y2: middle }));
      group.append(draw("text", { x: Math.max(x(high ?? value), x(value)) + 4, y: y + thick - 3 }, value.toFixed(1)));
      svg.append(group);
    });
  });
  return svg;
}

function drawDifferences(figure, visible, width, output) {
  const rows = figure.rows, block = 42, left = 10, right = 10, height = rows.length * block + 36;
  const values = rows.flatMap((row) => [row.low, row.high, row.value]);
  const spread = figure.zero ? "95 % interval" : "seeds from";
  // differences that are all nothing would otherwise lie at the left edge
  const ends = figure.zero ? [-0.5, 0.5] : [Math.min(...values) - 0.5, Math.max(...values) + 0.5];
  const low = Math.min(...ends, ...values), high = Math.max(...ends, ...values), x = makeScale(low, high, left + 4, width - right - 4);
  const svg = draw("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": figure.title });
  for (const tick of listTicks(low, high, width < 480 ? 3 : 6)) {
    svg.append(draw("line", { class: tick === 0 ? "zero" : "axis", x1: x(tick), x2: x(tick), y1: 0, y2: height - 34 }));
    svg.append(draw("text", { x: x(tick), y: height - 19, "text-anchor": "middle" }, shown(tick)));
  }
  svg.append(draw("text", { x: width / 2, y: height - 3, "text-anchor": "middle" }, figure.x));
  rows.forEach((row, index) => {
    const y = index * block + 30, letters = Math.floor((width - left) / 6.6);
    const label = row.name.length > letters ? row.name.slice(0, letters - 1) + "…" : row.name;
    const text = `${row.name}: ${shown(row.value)}, ${spread} ${shown(row.low)} to ${shown(row.high)}`;
    const group = draw("g", { class: `k${row.colour ?? (row.certain ? 2 : 0)}` });
    group.append(draw("text", { class: "name", x: left, y: y - 14 }, label, draw("title", {}, row.name)));
    group.append(draw("line", { class: "span", x1: x(row.low), x2: x(row.high), y1: y, y2: y }));
    for (const score of row.points || []) group.append(draw("circle", { class: "dot", cx: x(score), cy: y, r: 3.5, "fill-opacity": 0.5 }));
    group.append(makeReadable(draw("circle", { class: "dot", cx: x(row.value), cy: y, r: 5.5 }), text, output));
    svg.append(group);
  });
  return svg;
}

function listValues(figure) {
  if (figure.kind === "differences") return [["", figure.x, figure.zero ? "95 % from" : "seeds from", "to"], figure.rows.map((row) => [row.name, shown(row.value), shown(row.low), shown(row.high)])];
  if (figure.kind === "bars") {
    const headings = ["", ...figure.series.map((row) => row.name)];
    return [headings, figure.groups.map((name, index) => [name, ...figure.series.map((row) => row.bars[index].map(shown).join("; "))])];
  }
  const rows = figure.series.flatMap((line) => line.points.map((point) => [line.name, ...point.map((value) => String(value))]));
  return [["", figure.x, figure.y, ...(rows[0]?.length > 3 ? ["predictions"] : [])], rows];
}

const DRAWINGS = { lines: drawLines, bars: drawBars, differences: drawDifferences };

function showFigure(host, figure) {
  const visible = (figure.series || []).map(() => true);
  const output = make("p", { class: "read", "aria-hidden": "true" }), place = make("div", {}), legend = make("div", { class: "legend" });
  const redraw = () => place.replaceChildren(DRAWINGS[figure.kind](figure, visible, Math.max(place.clientWidth, 260), output));
  (figure.series || []).forEach((row, index) => {
    const line = draw("line", { class: "line", x1: 0, x2: 26, y1: 6, y2: 6, "stroke-dasharray": DASHES[row.dash || 0] });
    const button = make("button", { type: "button", "aria-pressed": "true", class: `k${row.colour}` }, draw("svg", { viewBox: "0 0 26 12", "aria-hidden": "true" }, line), row.name);
    button.addEventListener("click", () => {
      visible[index] = !visible[index];
      button.setAttribute("aria-pressed", String(visible[index]));
      redraw();
    });
    legend.append(button);
  });
  const values = make("details", {}, make("summary", {}, "The figures as a table"));
  values.addEventListener("toggle", () => values.open && values.children.length < 2 && values.append(makeTable(...listValues(figure))));
  host.append(make("figcaption", {}, figure.title), legend, place, output, values);
  let width = 0;
  new ResizeObserver(() => {
    if (place.clientWidth === width) return;
    width = place.clientWidth;
    redraw();
  }).observe(place);
  redraw();
}

for (const host of document.querySelectorAll("[data-figure]")) {
  const figure = DATA.figures.find((member) => member.id === host.dataset.figure);
  if (figure) showFigure(host, figure);
}
