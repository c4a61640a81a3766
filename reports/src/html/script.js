"use strict";
// Draws the charts whose data the page carries, in place of their pictures. Without it the pictures stay.
(() => {
  const WIDTH = 880, HEIGHT = 340, LEFT = 78, RIGHT = 20, TOP = 12, BOTTOM = 44;
  const make = (name, attributes, text) => {
    const node = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const key in attributes) node.setAttribute(key, attributes[key]);
    if (text !== undefined) node.textContent = text;
    return node;
  };
  const html = (name, className, text) => {
    const node = document.createElement(name);
    if (className) node.className = className;
    if (text !== undefined) node.textContent = text;
    return node;
  };
  const time = (ns) => {
    const units = [[1e9, "s"], [1e6, "ms"], [1e3, "µs"], [1, "ns"]];
    const [size, unit] = units.find(([size]) => ns >= size) || units[3];
    const value = ns / size;
    return `${value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2)} ${unit}`;
  };
  const nines = (quantile) => -Math.log10(1 - quantile);
  const percentile = (quantile) => `P${+(100 * quantile).toPrecision(6)}`;
  const ticksOf = (low, high, logarithmic) => {
    const ticks = [];
    if (logarithmic) {
      for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++) {
        for (const step of [1, 2, 5]) {
          const tick = step * 10 ** power;
          if (tick >= low && tick <= high) ticks.push(tick);
        }
      }
      return ticks;
    }
    const rough = (high - low) / 6, power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= rough);
    for (let tick = Math.ceil(low / step) * step; tick <= high; tick += step) ticks.push(tick);
    return ticks;
  };

  const chart = (spec, place) => {
    const box = html("div", "chart");
    const controls = box.appendChild(html("div", "controls"));
    const sheet = box.appendChild(
      make("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": spec.title }));
    const read = box.appendChild(html("p", "read", "Point at the chart, or move with the arrow keys, to read values."));
    read.setAttribute("aria-live", "polite");
    sheet.setAttribute("tabindex", "0");
    const shown = new Set(spec.series.map((_, index) => index));
    let logarithmic = true;
    spec.series.forEach((series, index) => {
      const label = controls.appendChild(html("label"));
      const tick = label.appendChild(html("input"));
      tick.type = "checkbox";
      tick.checked = true;
      const key = label.appendChild(html("span", "key"));
      key.style.background = series.color;
      label.appendChild(document.createTextNode(series.name));
      tick.addEventListener("change", () => {
        if (tick.checked) shown.add(index); else shown.delete(index);
        draw();
      });
    });
    const label = controls.appendChild(html("label", "scale"));
    const scale = label.appendChild(html("input"));
    scale.type = "checkbox";
    scale.checked = true;
    label.appendChild(document.createTextNode("logarithmic"));
    scale.addEventListener("change", () => { logarithmic = scale.checked; draw(); });

    let points = [], at = -1, dot = null;
    const across = (series) => series.points.map((point) => (spec.kind === "curve" ? nines(point[0]) : point[0]));
    const draw = () => {
      sheet.replaceChildren();
      points = [];
      at = -1;
      dot = null;
      const visible = spec.series.map((series, index) => ({ series, index })).filter(({ index }) => shown.has(index));
      if (!visible.length) {
        sheet.appendChild(make("text", { x: WIDTH / 2, y: HEIGHT / 2, "text-anchor": "middle" }, "Everything is switched off."));
        return;
      }
      const xs = visible.flatMap(({ series }) => across(series));
      const ys = visible.flatMap(({ series }) => series.points.flatMap((point) => point.slice(1, 3))).filter((y) => y > 0);
      const limits = spec.limits.map((limit) => limit.value);
      const [left, right] = [Math.min(...xs), Math.max(...xs)];
      const low = logarithmic ? Math.min(...ys, ...limits) / 1.1 : 0;
      const high = Math.max(...ys, ...limits) * 1.05;
      const x = (value) => LEFT + (right > left ? (value - left) / (right - left) : 0.5) * (WIDTH - LEFT - RIGHT);
      const y = (value) => {
        const share = logarithmic ? Math.log(Math.max(value, low) / low) / Math.log(high / low) : value / high;
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM);
      };
      for (const tick of ticksOf(Math.max(low, 1), high, logarithmic)) {
        sheet.appendChild(make("line", { class: "grid", x1: LEFT, x2: WIDTH - RIGHT, y1: y(tick), y2: y(tick) }));
        sheet.appendChild(make("text", { x: LEFT - 6, y: y(tick) + 4, "text-anchor": "end" }, time(tick)));
      }
      const marks = spec.kind === "curve"
        ? [0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 0.9999].map((q) => [nines(q), percentile(q)])
        : ticksOf(Math.max(left, 1), right, false).map((tick) => [tick, time(tick)]);
      for (const [value, text] of marks.filter(([value]) => value >= left && value <= right)) {
        sheet.appendChild(make("line", { class: "grid", x1: x(value), x2: x(value), y1: TOP, y2: HEIGHT - BOTTOM }));
        sheet.appendChild(make("text", { x: x(value), y: HEIGHT - BOTTOM + 16, "text-anchor": "middle" }, text));
      }
      sheet.appendChild(make("text", { x: WIDTH / 2, y: HEIGHT - 6, "text-anchor": "middle" }, spec.across));
      for (const limit of spec.limits) {
        sheet.appendChild(make("line", { class: "limit", x1: LEFT, x2: WIDTH - RIGHT, y1: y(limit.value), y2: y(limit.value) }));
        sheet.appendChild(
          make("text", { class: "limit", x: WIDTH - RIGHT, y: y(limit.value) - 4, "text-anchor": "end" }, limit.text));
      }
      for (const { series } of visible) {
        const place = series.points.map((point, index) => ({
          x: x(across(series)[index]), y: y(point[1]), series, point,
        }));
        if (spec.kind === "curve") {
          const path = place.map((point, index) => `${index ? "L" : "M"}${point.x.toFixed(1)},${point.y.toFixed(1)}`);
          sheet.appendChild(make("path", { d: path.join(""), fill: "none", stroke: series.color, "stroke-width": 2 }));
        } else {
          for (const one of place) {
            sheet.appendChild(make("line", {
              x1: one.x, x2: one.x, y1: one.y - 1, y2: y(one.point[2]) + 1, stroke: series.color, "stroke-width": 2,
            }));
          }
        }
        points.push(...place);
      }
      points.sort((one, other) => one.x - other.x);
    };
    const say = (point) => {
      const [where, low, high, requests, phase] = point.point;
      const text = spec.kind === "curve"
        ? `${point.series.name}: ${percentile(where)} ${time(low)}`
        : `${point.series.name}: after ${time(where)}, ${phase}, ${requests} request${requests === 1 ? "" : "s"}, ` +
          (low === high ? time(low) : `${time(low)} to ${time(high)}`);
      read.textContent = text;
      if (!dot) {
        dot = sheet.appendChild(make("circle", { r: 4, fill: "none", "stroke-width": 2 }));
      }
      dot.setAttribute("cx", point.x);
      dot.setAttribute("cy", point.y);
      dot.setAttribute("stroke", "currentColor");
    };
    sheet.addEventListener("pointermove", (event) => {
      const frame = sheet.getBoundingClientRect();
      const [px, py] = [(event.clientX - frame.left) / frame.width * WIDTH, (event.clientY - frame.top) / frame.height * HEIGHT];
      let best = Infinity;
      points.forEach((point, index) => {
        const distance = (point.x - px) ** 2 * 4 + (point.y - py) ** 2;
        if (distance < best) { best = distance; at = index; }
      });
      if (at >= 0) say(points[at]);
    });
    sheet.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!step || !points.length) return;
      event.preventDefault();
      at = Math.min(points.length - 1, Math.max(0, at + step));
      say(points[at]);
    });
    draw();
    place.querySelector("svg").replaceWith(box);
  };

  const data = document.getElementById("chart-data");
  if (!data) return;
  for (const spec of JSON.parse(data.textContent)) {
    const place = document.getElementById(spec.figure);
    if (place && spec.series.length) chart(spec, place);
  }
})();
