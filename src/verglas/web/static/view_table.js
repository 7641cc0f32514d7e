// A table of any size: blocks of rows for the grid, filters, a plot of two columns on which a line is drawn, and subsets.
import { address, button, choice, colour, el, json, keep, keys, made, notice, number, post, sharp } from "./view_kit.js";

const filters = new Map(); // id of the grid -> conditions
const questions = new Map(); // id of the grid -> what its rows were asked by: file, block, conditions, order

// What AG grid asks for when it is scrolled, sorted or filtered.
export async function rows(asked, config) {
  const where = conditions(asked.filterModel, config.columns), sort = asked.sortModel[0];
  const question = { file: config.file, block: config.block, where: where.length ? JSON.stringify(where) : "", sort: sort ? config.columns[Number(sort.colId.slice(1))].label : "", down: sort ? sort.sort === "desc" : "" };
  filters.set(config.id, where);
  if (JSON.stringify(question) !== JSON.stringify(questions.get(config.id))) asked.context.last = null; // rows have other places now
  questions.set(config.id, question);
  try {
    const found = await json(address(config, "/table/rows", { ...question, start: asked.startRow, count: asked.endRow - asked.startRow }));
    asked.successCallback(found.rows, found.total);
    tell("verglas-rows", { id: config.id, total: found.total });
  } catch (error) {
    asked.failCallback();
    tell("verglas-rows", { id: config.id, error });
  }
}

// A row is ticked or not any more; with Shift all from the last one to it, which need not have been loaded.
export async function tick(config, { api, context, data, event, rowIndex }) {
  const from = event.shiftKey ? context.last ?? rowIndex : rowIndex, start = Math.min(from, rowIndex), count = Math.abs(from - rowIndex) + 1;
  const on = count > 1 || !context.ticked[data.row];
  try {
    const found = count > 1 ? (await json(address(config, "/table/numbers", { ...questions.get(config.id), start, count }))).rows : [data.row];
    for (const row of found) on ? context.ticked[row] = true : delete context.ticked[row];
    context.last = rowIndex;
    tell("verglas-chosen", { id: config.id, rows: Object.keys(context.ticked).map(Number) });
  } catch (error) { tell("verglas-rows", { id: config.id, error }); }
  api.refreshCells({ columns: ["tick"], force: true });
}

function tell(name, detail) { window.dispatchEvent(new CustomEvent(name, { detail })); }

function conditions(model, columns) {
  const found = [];
  for (const [id, one] of Object.entries(model || {})) {
    const column = columns[Number(id.slice(1))].label;
    if (one.filterType === "text") { if (one.filter) found.push({ column, text: one.filter }); continue; }
    if (one.type === "inRange") found.push({ column, low: one.filter, high: one.filterTo });
    else if (one.type === "greaterThanOrEqual") found.push({ column, low: one.filter });
    else if (one.type === "lessThanOrEqual") found.push({ column, high: one.filter });
    else if (one.type === "equals") found.push({ column, low: one.filter, high: one.filter });
  }
  return found;
}

export function mount(root, config) {
  root.classList.add("vg");
  const say = notice(), told = el("span", { className: "vg-note" }), canvas = el("canvas", { className: "vg-plot" });
  const [x = "", y = x] = config.plotted, state = { x, y, free: false, line: null, total: config.rows, chosen: [] };
  const where = () => filters.get(config.id) || [];
  const asked = () => where().length ? JSON.stringify(where()) : "";
  const draw = async () => {
    try {
      state.drawn = asked();
      const plot = await json(address(config, "/table/scatter", { file: config.file, block: config.block, x: state.x, y: state.y, where: asked() }));
      state.plot = { ...plot, ...padded(plot) };
      state.line = null;
      paint(canvas, state);
      count();
      say.clear();
    } catch (error) { say.fail(error); }
  };
  const subset = body => async () => {
    try {
      made(say, config, (await post(config.data + "/table/subset", { file: config.file, block: config.block, ...body() })).job);
    } catch (error) { say.fail(error); }
  };
  const makes = (text, body, help, kind = "") => config.subsets ? button(text, subset(body), help, kind) : null;
  const ofChosen = [makes("Subset of the ticked rows", () => ({ rows: state.chosen }), "A Select job with the rows that are ticked.", "main"),
    makes("Subset without them", () => ({ rows: state.chosen, without: true }), "A Select job with all rows but those that are ticked.")];
  const ofFiltered = [makes("Subset of the filtered rows", () => ({ where: where() }), "A Select job with the rows that fit the filters of the columns.", "main")];
  const ofDrawn = [makes("Subset of the drawn", () => ({ where: [...where(), ...around(state)] }), "A Select job with the rows inside what is drawn.", "main"),
    makes("Subset without the drawn", () => ({ where: around(state), without: true }), "A Select job with all rows outside of what is drawn.")];
  function count() {
    const found = where().length ? " fit the filters" : "";
    told.textContent = `${number(state.total)} rows${found}` + (state.chosen.length ? `; ${number(state.chosen.length)} ticked` : "");
    for (const [buttons, shown] of [[ofChosen, state.chosen.length], [ofFiltered, where().length], [ofDrawn, state.line]])
      buttons.forEach(one => { if (one) one.hidden = !shown; });
    if (ofDrawn[1]) ofDrawn[1].hidden ||= where().length > 0; // without what, of the filtered rows or of all?
  }
  const heard = (name, act) => window.addEventListener(name, event => { if (event.detail.id === config.id && root.isConnected) act(event.detail); });
  heard("verglas-rows", detail => {
    if (detail.error) { say.fail(detail.error); return; }
    state.total = detail.total;
    count();
    if (!plot.hidden && asked() !== state.drawn) draw();
  });
  heard("verglas-chosen", detail => { state.chosen = detail.rows; count(); });
  const names = config.numbers.map(one => [one, one.replace(/^rln/, "")]);
  const plot = el("div", { className: "vg-plotbox", hidden: true }, el("div", { className: "vg-bar" },
    choice("Across", names, state.x, value => { state.x = value; draw(); }), choice("Up", names, state.y, value => { state.y = value; draw(); }),
    config.subsets ? choice("Draw", [["", "a rectangle"], ["free", "a free line"]], "", value => { state.free = Boolean(value); }, "How rows are chosen on the plot: drag over it.") : null,
    ...ofDrawn, button("PNG", () => keep(canvas, `${state.x}_${state.y}.png`), "Keep this plot as a picture."),
    el("span", { className: "vg-note", textContent: config.subsets ? "Drag over the plot to choose rows." : "" })), canvas);
  const toggle = button("Plot two columns", () => {
    plot.hidden = !plot.hidden;
    toggle.setAttribute("aria-expanded", !plot.hidden);
    if (!plot.hidden) draw();
  });
  root.replaceChildren(say, el("div", { className: "vg-bar" }, config.numbers.length ? toggle : null, ...ofChosen, ...ofFiltered,
    el("a", { href: address(config, "/download", { file: config.file }), textContent: "Download STAR", className: "vg-link" }), told), plot);
  canvas.setAttribute("role", "img");
  count();
  if (config.subsets) drag(canvas, state, count);
  keys(canvas, { Escape: () => { state.line = null; paint(canvas, state); count(); } });
}

// The ends of the axes: a little outside of the values, so that a line can be drawn around the outermost.
function padded({ low, high }) {
  const by = low.map((value, k) => 0.03 * (high[k] - value));
  return { from: low.map((value, k) => value - by[k]), to: high.map((value, k) => value + by[k]) };
}

// What was drawn, as conditions.
function around({ line, free, x, y }) {
  if (line.length > 2 || free) return [{ x, y, corners: line }];
  const [[x0, y0], [x1, y1]] = line;
  return [{ column: x, low: Math.min(x0, x1), high: Math.max(x0, x1) }, { column: y, low: Math.min(y0, y1), high: Math.max(y0, y1) }];
}

const EDGE = { left: 84, bottom: 40, top: 8, right: 12 };

function paint(canvas, state) {
  const width = canvas.clientWidth, height = 320, pen = sharp(canvas, width, height, true), { low, high, from, to, points, counts } = state.plot;
  const wide = width - EDGE.left - EDGE.right, tall = height - EDGE.top - EDGE.bottom;
  const across = value => EDGE.left + (value - from[0]) / (to[0] - from[0]) * wide, up = value => EDGE.top + tall - (value - from[1]) / (to[1] - from[1]) * tall;
  pen.clearRect(0, 0, width, height);
  pen.font = "12px system-ui, sans-serif";
  pen.fillStyle = colour("--v-muted");
  pen.strokeStyle = colour("--v-line");
  for (let k = 0; k <= 4; k++) {
    const x = low[0] + k / 4 * (high[0] - low[0]), y = low[1] + k / 4 * (high[1] - low[1]);
    pen.beginPath(); pen.moveTo(across(x), EDGE.top); pen.lineTo(across(x), EDGE.top + tall); pen.moveTo(EDGE.left, up(y)); pen.lineTo(width - EDGE.right, up(y)); pen.stroke();
    pen.textAlign = k === 4 ? "right" : k ? "center" : "left"; pen.fillText(number(x), across(x), height - 22);
    pen.textAlign = "right"; pen.fillText(number(y), EDGE.left - 6, up(y) + (k === 4 ? 10 : k ? 4 : 0));
  }
  pen.textAlign = "center"; pen.fillText(state.x, EDGE.left + wide / 2, height - 6);
  pen.save(); pen.translate(14, EDGE.top + tall / 2); pen.rotate(-Math.PI / 2); pen.fillText(state.y, 0, 0); pen.restore();
  pen.fillStyle = colour("--v-accent");
  if (points) {
    const side = points.length > 3000 ? 2 : 3;
    pen.globalAlpha = points.length > 3000 ? 0.4 : 0.7;
    for (const [x, y] of points) pen.fillRect(across(x) - side / 2, up(y) - side / 2, side, side);
  } else {
    const many = counts.length, most = Math.log1p(Math.max(...counts.map(row => Math.max(...row))));
    const cell = [(across(high[0]) - across(low[0])) / many, (up(low[1]) - up(high[1])) / many];
    counts.forEach((row, y) => row.forEach((count, x) => {
      if (!count) return;
      pen.globalAlpha = 0.12 + 0.88 * Math.log1p(count) / most;
      pen.fillRect(across(low[0]) + x * cell[0], up(low[1]) - (y + 1) * cell[1], cell[0] + 0.5, cell[1] + 0.5);
    }));
  }
  pen.globalAlpha = 1;
  if (state.line) {
    const [[x0, y0], [x1, y1]] = state.line;
    pen.strokeStyle = colour("--v-ink");
    pen.lineWidth = 1.5;
    pen.beginPath();
    if (state.line.length > 2) { state.line.forEach(([x, y]) => pen.lineTo(across(x), up(y))); pen.closePath(); } else pen.rect(across(x0), up(y0), across(x1) - across(x0), up(y1) - up(y0));
    pen.stroke();
  }
  canvas.setAttribute("aria-label", `${state.y} against ${state.x}, ${number(state.plot.total)} rows`);
}

const CORNERS = 300, STEP = 4; // of a free line: most corners, and pixels between them

function drag(canvas, state, changed) {
  let at = null;
  const value = event => {
    const area = canvas.getBoundingClientRect(), { from, to } = state.plot, inside = part => Math.max(0, Math.min(1, part));
    const x = inside((event.clientX - area.left - EDGE.left) / (area.width - EDGE.left - EDGE.right)), y = inside(1 - (event.clientY - area.top - EDGE.top) / (area.height - EDGE.top - EDGE.bottom));
    return [from[0] + x * (to[0] - from[0]), from[1] + y * (to[1] - from[1])];
  };
  canvas.addEventListener("pointerdown", event => {
    if (!state.plot) return;
    at = [event.clientX, event.clientY];
    state.line = [value(event), value(event)];
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", event => {
    if (!at) return;
    if (!state.free) state.line = [state.line[0], value(event)];
    else if (state.line.length < CORNERS && Math.hypot(event.clientX - at[0], event.clientY - at[1]) > STEP) {
      state.line.push(value(event));
      at = [event.clientX, event.clientY];
    }
    paint(canvas, state);
  });
  canvas.addEventListener("pointerup", () => {
    if (!at) return;
    at = null;
    const [[x0, y0], [x1, y1]] = state.line;
    if (state.free ? state.line.length < 4 : x0 === x1 || y0 === y1) state.line = null; // a click
    paint(canvas, state);
    changed();
  });
}
