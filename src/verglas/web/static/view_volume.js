// A map as three linked slices, alone, beside another map, or minus it, with a mask over it; and as a surface on the second tab.
import { address, button, choice, colour, el, entry, get, json, newest, notice, number, slider } from "./view_kit.js";

const AXES = ["z", "y", "x"], ACROSS = [[2, 1], [2, 0], [1, 0]]; // axis of the columns and of the rows of each slice

export async function mount(root, config) {
  const say = notice(), tabs = el("div", { className: "vg-tabs" }), pages = [el("div"), el("div")];
  root.classList.add("vg");
  root.replaceChildren(tabs, say, ...pages);
  const opened = [false, false];
  const show = async which => {
    pages.forEach((page, k) => { page.hidden = k !== which; });
    [...tabs.querySelectorAll(".tab")].forEach((tab, k) => tab.setAttribute("aria-selected", k === which));
    if (opened[which]) return;
    opened[which] = true;
    try {
      await (which === 0 ? slices(pages[0], config, say) : (await import("./view_surface.js")).mount(pages[1], config, say));
    } catch (error) { say.fail(error); }
  };
  tabs.append(...["Slices", "Surface"].map((text, k) => button(text, () => show(k), "", "tab")));
  tabs.append(el("a", { href: address(config, "/download", { file: config.file }), textContent: "Download the map", className: "vg-link" }));
  await show(0);
}

async function slices(page, config, say) {
  const facts = await json(address(config, "/volume", { file: config.file }));
  const state = { at: facts.shape.map(side => Math.floor(side / 2)), low: facts.low, high: facts.high, mode: "one", other: "", mask: "", facts };
  const panes = [], second = [];
  const tell = el("span", { className: "vg-note" });
  const redraw = () => { [...panes, ...second].forEach(one => one.draw()); position(); };
  const position = () => {
    const middle = state.at.map((place, axis) => `${AXES[axis]} ${place}`).reverse().join(", ");
    tell.textContent = `${facts.shape[2]} × ${facts.shape[1]} × ${facts.shape[0]} voxels`
      + (facts.pixel ? ` of ${number(facts.pixel)} Å` : "") + `, at ${middle}`;
  };
  const grid = el("div", { className: "vg-three" }), beside = el("div", { className: "vg-three" });
  for (let axis = 0; axis < 3; axis++) {
    panes.push(pane(axis, state, config, () => state.mode === "minus" && state.other ? "minus" : "", redraw, say));
    second.push(pane(axis, state, config, () => state.mode === "beside" && state.other ? "other" : "none", redraw, say));
    grid.append(panes[axis].box);
    beside.append(second[axis].box);
  }
  const other = entry("Second map", { list: config.maps, placeholder: "name in the project", help: "Another map of this project with the same box." },
    value => { state.other = value; redraw(); });
  const show = () => { beside.hidden = state.mode !== "beside"; other.hidden = state.mode === "one"; redraw(); };
  const modes = [["one", "this map"], ["beside", "beside a second map"], ["minus", "minus a second map"]];
  page.append(
    el("div", { className: "vg-bar" }, contrast(state, facts, redraw), choice("Show", modes, "one", value => { state.mode = value; show(); },
      "Minus: the second map is first scaled to this one."), other,
    entry("Mask over it", { list: config.masks, placeholder: "name in the project", help: "What lies outside of the mask is dimmed." },
      value => { state.mask = value; redraw(); }), tell), grid, beside);
  show();
}

function contrast(state, facts, redraw) {
  const canvas = el("canvas", { className: "vg-histogram", width: 256, height: 40, title: "How often each density occurs, and what is black and white." });
  const paint = () => {
    const pen = canvas.getContext("2d"), top = Math.log1p(Math.max(...facts.counts)), span = facts.to - facts.from || 1;
    pen.clearRect(0, 0, 256, 40);
    pen.fillStyle = colour("--v-muted");
    facts.counts.forEach((count, k) => pen.fillRect(2 * k, 40 - 38 * Math.log1p(count) / top, 2, 40));
    pen.fillStyle = colour("--v-accent");
    for (const value of [state.low, state.high]) pen.fillRect(Math.min(254, 256 * (value - facts.from) / span), 0, 2, 40);
  };
  const ends = { low: facts.from, high: facts.to };
  const low = slider("Black", { ...ends, value: facts.low, help: "Density that is black." }, value => { state.low = value; paint(); redraw(); });
  const high = slider("White", { ...ends, value: facts.high, help: "Density that is white." }, value => { state.high = value; paint(); redraw(); });
  requestAnimationFrame(paint);
  const reset = button("Reset", () => {
    [state.low, state.high] = [facts.low, facts.high];
    low.set(facts.low); high.set(facts.high); paint(); redraw();
  }, "Contrast as at first.");
  return el("div", { className: "vg-contrast" }, canvas, el("div", {}, low, high), reset);
}

function pane(axis, state, config, role, redraw, say) {
  const canvas = el("canvas", { className: "vg-slice" }), cross = el("canvas", { className: "vg-cross" });
  const move = slider(`${AXES[axis]}`, { low: 0, high: state.facts.shape[axis] - 1, step: 1, value: state.at[axis], help: `Slice along ${AXES[axis]}.` },
    value => { state.at[axis] = value; redraw(); });
  const picture = el("a", { textContent: "PNG", title: "Keep this slice as a picture.", className: "vg-link" });
  const frame = el("div", { className: "vg-frame" }, canvas, cross);
  const box = el("div", { className: "vg-pane" }, frame, el("div", { className: "vg-row" }, move, picture));
  const draw = newest(async () => {
    const kind = role();
    if (kind === "none") return;
    const file = kind === "other" ? state.other : config.file, index = state.at[axis];
    move.set(index);
    picture.href = address(config, "/volume/picture", { file, axis, index, low: state.low, high: state.high });
    try {
      const wanted = kind === "minus" ? address(config, "/volume/difference", { file, other: state.other, axis, index })
        : kind === "other" ? address(config, "/volume/slice", { file, axis, index })
        : address(config, "/volume/slice", { file, axis, index, low: state.low, high: state.high });
      const [grey, mask] = await Promise.all([pixels(wanted),
        state.mask ? pixels(address(config, "/volume/slice", { file: state.mask, axis, index, low: 0, high: 1 })) : null]);
      paint(canvas, grey, mask);
      lines(cross, axis, state);
      say.clear();
    } catch (error) { say.fail(error); }
  });
  frame.addEventListener("pointerdown", event => { point(event); frame.setPointerCapture(event.pointerId); });
  frame.addEventListener("pointermove", event => { if (event.buttons) point(event); });
  function point(event) {
    const area = frame.getBoundingClientRect(), [columns, rows] = ACROSS[axis];
    const inside = (part, side) => Math.max(0, Math.min(side - 1, Math.floor(part * side)));
    state.at[columns] = inside((event.clientX - area.left) / area.width, state.facts.shape[columns]);
    state.at[rows] = inside(1 - (event.clientY - area.top) / area.height, state.facts.shape[rows]);
    redraw();
  }
  frame.addEventListener("wheel", event => {
    event.preventDefault();
    state.at[axis] = Math.max(0, Math.min(state.facts.shape[axis] - 1, state.at[axis] + Math.sign(event.deltaY)));
    redraw();
  }, { passive: false });
  return { box, draw };
}

async function pixels(url) {
  const answer = await get(url), [height, width] = answer.headers.get("X-Shape").split(",").map(Number);
  return { height, width, data: new Uint8Array(await answer.arrayBuffer()) };
}

function paint(canvas, grey, mask) {
  canvas.width = grey.width;
  canvas.height = grey.height;
  const image = new ImageData(grey.width, grey.height), out = image.data;
  const fits = mask && mask.data.length === grey.data.length;
  for (let k = 0; k < grey.data.length; k++) {
    const value = grey.data[k], inside = fits ? mask.data[k] / 255 : 1;
    out[4 * k] = value * (0.45 + 0.55 * inside);
    out[4 * k + 1] = value * (0.55 + 0.45 * inside);
    out[4 * k + 2] = value * (0.75 + 0.25 * inside);
    out[4 * k + 3] = 255;
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
}

function lines(canvas, axis, state) {
  const [columns, rows] = ACROSS[axis], pen = canvas.getContext("2d"), side = 512;
  canvas.width = canvas.height = side;
  pen.strokeStyle = "rgba(120, 200, 255, .55)";
  const x = (state.at[columns] + 0.5) / state.facts.shape[columns] * side, y = side - (state.at[rows] + 0.5) / state.facts.shape[rows] * side;
  pen.beginPath();
  pen.moveTo(x, 0); pen.lineTo(x, side); pen.moveTo(0, y); pen.lineTo(side, y);
  pen.stroke();
}
