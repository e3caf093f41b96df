"use strict";
(() => {
  const { charts, marks, unit = "step" } = JSON.parse(document.getElementById("data").textContent);
  const colourOf = (line, number) => `var(--line-${((line.run ?? number) % 8) + 1})`;
  const NS = "http://www.w3.org/2000/svg";
  const HEIGHT = 220, LEFT = 52, RIGHT = 10, BOTTOM = 24, ROW = 14, MOST_ROWS = 3;
  const steps = charts.flatMap((chart) => chart.lines.flatMap((line) => [line.steps[0], line.steps[line.steps.length - 1]]));
  const whole = [Math.min(...steps), Math.max(...steps, marks.last_step)];
  if (whole[0] === whole[1]) { whole[0] -= 0.5; whole[1] += 0.5; }
  let domain = whole, cursor = null;

  const make = (name, attributes, parent, text) => {
    const element = document.createElementNS(NS, name);
    for (const key in attributes) element.setAttribute(key, attributes[key]);
    if (text !== undefined) element.textContent = text;
    parent.append(element);
    return element;
  };
  const show = (value) => {
    if (typeof value === "string") return value;
    const size = Math.abs(value);
    if (size !== 0 && (size >= 1e6 || size < 1e-3)) return value.toExponential(2).replace(/\.?0+e/, "e");
    return String(Number(value.toPrecision(4)));
  };

  // A range of large numbers may itself be too large for a number, so halves are compared.
  const linear = (low, high, begin, end) => (value) => begin + ((value / 2 - low / 2) / (high / 2 - low / 2)) * (end - begin);
  const ticks = (low, high, count) => {
    const rough = (high / 2 - low / 2) * 2 / count;
    if (!Number.isFinite(rough) || rough <= 0) return [low, high];
    const unit = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((each) => each * unit).find((each) => each >= rough);
    if (!(step > 0)) return [low, high];
    const found = [];
    for (let each = Math.ceil(low / step); each * step <= high && found.length < 20; each++) found.push(each * step);
    return found;
  };

  const vertical = (values, top) => {
    const bottom = HEIGHT - BOTTOM;
    let low = Infinity, high = -Infinity;
    for (const value of values) { low = Math.min(low, value); high = Math.max(high, value); }
    if (!(low <= high)) return { scale: () => (top + bottom) / 2, marks: [], log: false };
    const log = low > 0 && high / low >= 1000;
    if (log) {
      const exponents = [Math.log10(low), Math.log10(high)];
      const inner = linear(exponents[0], exponents[1], bottom, top);
      const found = ticks(Math.ceil(exponents[0]), Math.floor(exponents[1]), 4).filter(Number.isInteger).map((each) => 10 ** each);
      return { scale: (value) => inner(Math.log10(value)), marks: found, log };
    }
    if (low === high) { const room = Math.abs(low) / 2 || 1; low -= room; high += room; }
    const room = (high / 2 - low / 2) * 0.1;
    const padded = [Math.max(low - room, -Number.MAX_VALUE), Math.min(high + room, Number.MAX_VALUE)];
    return { scale: linear(padded[0], padded[1], bottom, top), marks: ticks(padded[0], padded[1], 4), log };
  };

  // The place of the last step that is at most this one, -1 without.
  const place = (line, step) => {
    let low = 0, high = line.steps.length;
    while (low < high) { const middle = (low + high) >> 1; if (line.steps[middle] <= step) low = middle + 1; else high = middle; }
    return low - 1;
  };
  const nearest = (line, step) => {
    const before = place(line, step), after = before + 1;
    if (before < 0) return after;
    if (after >= line.steps.length) return before;
    return step - line.steps[before] <= line.steps[after] - step ? before : after;
  };

  class Picture {
    constructor(chart) {
      this.chart = chart;
      this.figure = document.getElementById(chart.anchor);
      this.plot = this.figure.querySelector(".plot");
      this.readout = this.figure.querySelector(".readout");
      this.plot.hidden = false;
      this.listen();
    }

    draw() {
      this.width = this.plot.clientWidth || 600;
      this.svg = document.createElementNS(NS, "svg");
      this.svg.setAttribute("viewBox", `0 0 ${this.width} ${HEIGHT}`);
      this.x = linear(domain[0], domain[1], LEFT, this.width - RIGHT);
      const spans = this.chart.spans.filter((span) => span.last >= domain[0] && span.first <= domain[1]);
      const rows = this.label(spans);
      const top = 8 + ROW * Math.max(0, ...rows.map((row) => row.row + 1));
      const seen = this.chart.lines.map((line) => {
        const begin = Math.max(place(line, domain[0]) , 0), end = Math.min(place(line, domain[1]) + 2, line.steps.length);
        return { line, begin, end };
      });
      const values = [];
      for (const { line, begin, end } of seen) {
        for (let each = begin; each < end; each++) {
          const inside = line.steps[each] >= domain[0] && line.steps[each] <= domain[1];
          if (inside && typeof line.values[each] === "number") values.push(line.values[each]);
        }
      }
      this.y = vertical(values, top);
      this.axes();
      const clip = `clip-${this.chart.anchor}`;
      make("rect", { x: LEFT, y: 0, width: this.width - LEFT - RIGHT, height: HEIGHT }, make("clipPath", { id: clip }, make("defs", {}, this.svg)));
      const body = make("g", { "clip-path": `url(#${CSS.escape(clip)})` }, this.svg);
      this.shade(body, rows);
      this.mark(body);
      seen.forEach((each, number) => this.line(body, each, number));
      for (const best of this.chart.best) {
        const ring = make("circle", { class: "best", cx: this.x(best.step), cy: this.y.scale(best.value), r: 5 }, body);
        make("title", {}, ring, `best ${best.metric}: ${show(best.value)} at step ${best.step}`);
      }
      this.pointer = make("g", {}, this.svg);
      this.plot.replaceChildren(this.svg);
      this.point();
    }

    // Which spans get a label, and in which row, so that none covers another.
    label(spans) {
      const ends = [], told = new Set(), right = this.width - RIGHT;
      return spans.map((span) => {
        const from = Math.max(this.x(span.first), LEFT), to = Math.max(Math.min(this.x(span.last), right), from + 3);
        const length = span.label.length * 6.4 + 4;
        const start = Math.max(Math.min(from + 2, right - length), LEFT);
        let row = ends.findIndex((end) => end < start);
        if (row < 0) row = ends.length;
        if (row >= MOST_ROWS || (told.has(span.label) && to - from < length)) return { span, from, to, row: -1 };
        ends[row] = start + length;
        told.add(span.label);
        return { span, from, to, start, row };
      });
    }

    axes() {
      const right = this.width - RIGHT, bottom = HEIGHT - BOTTOM;
      for (const value of this.y.marks) {
        const y = this.y.scale(value);
        make("line", { class: "grid", x1: LEFT, x2: right, y1: y, y2: y }, this.svg);
        make("text", { x: LEFT - 5, y: y + 4, "text-anchor": "end" }, this.svg, show(value));
      }
      make("line", { class: "grid", x1: LEFT, x2: right, y1: bottom, y2: bottom }, this.svg);
      const count = Math.max(2, Math.floor((right - LEFT) / 60));
      for (const step of ticks(domain[0], domain[1], count).filter(Number.isInteger)) {
        make("text", { x: this.x(step), y: HEIGHT - 8, "text-anchor": "middle" }, this.svg, String(step));
      }
      if (this.y.log) make("text", { x: 0, y: HEIGHT - 8 }, this.svg, "log scale");
      const all = this.chart.lines.flatMap((line) => line.values);
      if (!all.some((each) => typeof each === "number")) {
        make("text", { x: (LEFT + right) / 2, y: bottom / 2, "text-anchor": "middle" }, this.svg, "no finite value was logged");
      }
    }

    shade(body, rows) {
      for (const { span, from, to, start, row } of rows) {
        const link = make("a", { href: `#${span.anchor}`, class: `span ${span.severity}`, draggable: "false" }, body);
        link.setAttribute("aria-label", `${span.severity}: ${span.label}, ${span.text}`);
        make("title", {}, link, `${span.severity}: ${span.label}, ${span.text}`);
        make("rect", { x: from, y: 0, width: to - from, height: HEIGHT - BOTTOM }, link);
        make("line", { x1: from, x2: from, y1: 0, y2: HEIGHT - BOTTOM }, link);
        if (row >= 0) make("text", { x: start, y: 11 + ROW * row }, link, span.label);
      }
    }

    mark(body) {
      const bottom = HEIGHT - BOTTOM;
      for (const step of marks.checkpoints) {
        const x = this.x(step);
        make("title", {}, make("path", { class: "saved", d: `M${x - 4} ${bottom}h8l-4 -7z` }, body), `checkpoint-${step}`);
      }
      for (const step of marks.resumes) {
        const x = this.x(step);
        make("title", {}, make("line", { class: "seam", x1: x, x2: x, y1: 0, y2: bottom }, body), `resumed at step ${step}`);
      }
      if (marks.death !== null) {
        const x = this.x(marks.death);
        make("title", {}, make("line", { class: "end", x1: x, x2: x, y1: 0, y2: bottom }, body), `died at step ${marks.death}`);
      }
    }

    line(body, { line, begin, end }, number) {
      const colour = colourOf(line, number), dots = end - begin <= 40;
      let path = "", open = false;
      for (let each = begin; each < end; each++) {
        const x = this.x(line.steps[each]), value = line.values[each];
        if (typeof value === "string") {
          open = false;
          const cross = make("path", { class: "lost", d: `M${x - 3} ${HEIGHT - BOTTOM - 8}l6 6m0 -6l-6 6` }, body);
          make("title", {}, cross, `${line.name} was ${value} at ${unit} ${line.steps[each]}`);
          continue;
        }
        const y = this.y.scale(value);
        path += `${open ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`;
        open = true;
        const alone = typeof line.values[each - 1] !== "number" && typeof line.values[each + 1] !== "number";
        if (dots || alone) make("circle", { cx: x, cy: y, r: 2, fill: colour }, body);
      }
      make("path", { class: "line", d: path || "M0 0", stroke: colour }, body);
    }

    point() {
      this.pointer.replaceChildren();
      if (cursor === null) { this.readout.textContent = ""; return; }
      const words = [];
      let at = null;
      this.chart.lines.forEach((line, number) => {
        const found = nearest(line, cursor), step = line.steps[found], value = line.values[found];
        if (at === null) at = step;
        words.push(`${line.name} ${show(value)}${step === at ? "" : ` (${unit} ${step})`}`);
        if (typeof value === "number" && step >= domain[0] && step <= domain[1]) {
          make("circle", { cx: this.x(step), cy: this.y.scale(value), r: 3.5, fill: colourOf(line, number) }, this.pointer);
        }
      });
      const x = this.x(at);
      if (x >= LEFT && x <= this.width - RIGHT) make("line", { class: "cursor", x1: x, x2: x, y1: 0, y2: HEIGHT - BOTTOM }, this.pointer);
      this.readout.textContent = `${unit} ${at}: ${words.join(", ")}`;
    }

    stepAt(event) {
      const box = this.svg.getBoundingClientRect();
      const share = ((event.clientX - box.left) * this.width / box.width - LEFT) / (this.width - LEFT - RIGHT);
      return domain[0] + Math.min(Math.max(share, 0), 1) * (domain[1] - domain[0]);
    }

    listen() {
      let from = null, moved = false;
      this.plot.addEventListener("dragstart", (event) => event.preventDefault());
      this.plot.addEventListener("pointerdown", (event) => {
        moved = false;
        from = event.pointerType === "touch" || event.button !== 0 ? null : { step: this.stepAt(event), x: event.clientX };
        move(this.stepAt(event));
      });
      this.plot.addEventListener("pointermove", (event) => {
        const step = this.stepAt(event);
        move(step);
        if (from === null || (!moved && Math.abs(event.clientX - from.x) < 6)) return;
        if (!moved) this.plot.setPointerCapture(event.pointerId);
        moved = true;
        const edges = [this.x(from.step), this.x(step)].sort((one, other) => one - other);
        make("rect", { class: "selection", x: edges[0], width: edges[1] - edges[0], y: 0, height: HEIGHT - BOTTOM }, this.pointer);
      });
      this.plot.addEventListener("pointerup", (event) => {
        if (from !== null && moved) zoom([from.step, this.stepAt(event)].sort((one, other) => one - other));
        from = null;
      });
      this.plot.addEventListener("pointercancel", () => { from = null; });
      this.plot.addEventListener("pointerleave", (event) => { if (event.pointerType !== "touch" && from === null) move(null); });
      // A drag that begins on a span shall not follow its link; some browsers send it a click.
      this.plot.addEventListener("click", (event) => { if (moved) { event.preventDefault(); moved = false; } }, true);
      this.plot.addEventListener("dblclick", () => zoom(whole));
      this.plot.addEventListener("keydown", (event) => {
        const line = this.chart.lines[0], now = cursor === null ? Math.max(place(line, domain[0]), 0) : nearest(line, cursor);
        const last = line.steps.length - 1;
        const to = { ArrowLeft: now - 1, ArrowRight: now + 1, Home: 0, End: last, PageUp: now - 10, PageDown: now + 10 }[event.key];
        if (to !== undefined) move(line.steps[Math.min(Math.max(to, 0), last)]);
        else if (event.key === "+") closer();
        else if (event.key === "Escape" || event.key === "0") zoom(whole);
        else return;
        event.preventDefault();
      });
    }
  }

  const pictures = charts.map((chart) => new Picture(chart));
  const state = document.getElementById("zoomed"), reset = document.getElementById("reset");
  const draw = () => {
    for (const picture of pictures) picture.draw();
    reset.disabled = domain === whole;
    state.textContent = domain === whole ? "" : `${unit}${unit === "step" ? "s" : ""} ${Math.ceil(domain[0])} to ${Math.floor(domain[1])}`;
  };
  const move = (step) => { cursor = step; for (const picture of pictures) picture.point(); };
  const zoom = (to) => {
    const closest = Math.max((whole[1] - whole[0]) / 1e5, 1e-9);
    domain = to[1] - to[0] < closest || (to[0] <= whole[0] && to[1] >= whole[1]) ? whole : to;
    draw();
  };
  const closer = () => {
    const middle = cursor === null ? (domain[0] + domain[1]) / 2 : cursor, quarter = (domain[1] - domain[0]) / 4;
    zoom([Math.max(middle - quarter, whole[0]), Math.min(middle + quarter, whole[1])]);
  };
  document.getElementById("closer").addEventListener("click", closer);
  reset.addEventListener("click", () => zoom(whole));

  // What a link points to may be folded away, and not every browser unfolds it by itself.
  const reveal = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (target === null) return;
    for (let each = target.closest("details"); each !== null; each = each.parentElement.closest("details")) each.open = true;
    target.scrollIntoView();
    target.focus({ preventScroll: true });
  };
  window.addEventListener("hashchange", reveal);
  window.addEventListener("beforeprint", () => { for (const each of document.querySelectorAll("details")) each.open = true; zoom(whole); });
  let width = null, waiting = 0;
  new ResizeObserver(() => {
    if (document.body.clientWidth === width) return;
    width = document.body.clientWidth;
    cancelAnimationFrame(waiting);
    waiting = requestAnimationFrame(draw);
  }).observe(document.body);
  for (const each of document.querySelectorAll(".tools, .guide")) each.hidden = false;
  draw();
  if (location.hash) reveal();
})();
