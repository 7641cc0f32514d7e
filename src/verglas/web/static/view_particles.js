// Particles as sheets of small pictures, a page of which is one image of the server; click to choose, and make a subset.
import { address, button, choice, el, entry, json, later, made, notice, number, post, slider } from "./view_kit.js";

const SHEET = 120, CHAPTER = 40; // particles of a picture, pictures of a chapter

export async function mount(root, config) {
  root.classList.add("vg");
  const say = notice(), page = el("div");
  root.replaceChildren(say, page);
  try {
    if (config.file.endsWith(".mrcs")) {
      const facts = await json(address(config, "/image", { file: config.file }));
      gallery(page, config, say, { block: "", columns: [], total: facts.images });
      return;
    }
    const tables = await json(address(config, "/table", { file: config.file }));
    const block = tables.blocks.find(one => one.columns.some(column => column.label === "rlnImageName"));
    if (!block) throw new Error("There are no images in this table.\n-> open it as a table");
    gallery(page, config, say, { block: block.name, columns: block.columns, total: block.rows });
  } catch (error) { say.fail(error); }
}

function gallery(page, config, say, facts) {
  const state = { sort: "", down: false, where: config.where || [], side: 96, lowpass: 0, chapter: 0, chosen: new Set(), total: facts.total };
  const sheets = el("div", { className: "vg-sheets" }), told = el("span", { className: "vg-note" }), pager = el("span", { className: "vg-row" });
  const numbers = facts.columns.filter(one => !one.text).map(one => one.label);
  const query = () => ({ file: config.file, block: facts.block, where: state.where.length ? JSON.stringify(state.where) : "", sort: state.sort, down: state.down });
  const count = () => { told.textContent = `${number(state.total)} particles` + (state.chosen.size ? `, ${number(state.chosen.size)} chosen` : ""); };
  const redraw = async () => {
    try {
      if (facts.block) state.total = (await json(address(config, "/table/rows", { ...query(), count: 1 }))).total;
      const across = Math.max(1, Math.floor((sheets.clientWidth || 900) / state.side)), size = Math.max(1, Math.floor(SHEET / across)) * across;
      const first = state.chapter * CHAPTER * size, last = Math.min(state.total, first + CHAPTER * size);
      sheets.replaceChildren();
      for (let start = first; start < last; start += size) sheets.append(sheet(start, Math.min(size, last - start), across));
      chapters(size);
      count();
      say.clear();
    } catch (error) { say.fail(error); }
  };
  const soon = later(redraw, 200);

  function chapters(size) {
    const many = Math.ceil(state.total / (CHAPTER * size));
    if (many < 2) { pager.replaceChildren(); return; }
    const go = by => () => { state.chapter = Math.max(0, Math.min(many - 1, state.chapter + by)); redraw(); };
    pager.replaceChildren(button("‹", go(-1), "Earlier particles"), `part ${state.chapter + 1} of ${many}`, button("›", go(1), "Later particles"));
  }

  function sheet(start, shown, across) {
    const image = el("img", { loading: "lazy", width: across * state.side, height: Math.ceil(shown / across) * state.side, alt: `particles ${start + 1} to ${start + shown}` });
    image.src = address(config, "/particles/picture", { ...query(), start, count: shown, across, side: state.side, lowpass: state.lowpass || "" });
    const box = el("div", { className: "vg-sheet" }, image);
    let rows = null;
    box.addEventListener("click", async event => {
      if (!facts.block) return;
      const area = box.getBoundingClientRect(), at = Math.floor((event.clientY - area.top) / state.side) * across + Math.floor((event.clientX - area.left) / state.side);
      if (at < 0 || at >= shown) return;
      rows = rows || (await json(address(config, "/table/rows", { ...query(), start, count: shown }))).rows.map(one => one.row);
      const old = box.querySelector(`[data-at="${at}"]`);
      if (old) { old.remove(); state.chosen.delete(rows[at]); } else { state.chosen.add(rows[at]); mark(box, at, across); }
      count();
    });
    return box;
  }

  function mark(box, at, across) {
    const one = el("i", { className: "vg-mark" });
    one.dataset.at = at;
    Object.assign(one.style, { left: at % across * state.side + "px", top: Math.floor(at / across) * state.side + "px", width: state.side + "px", height: state.side + "px" });
    box.append(one);
  }

  const filter = { column: "", low: "", high: "" };
  const narrowed = () => {
    state.where = [...(config.where || [])];
    if (filter.column && (filter.low !== "" || filter.high !== ""))
      state.where.push({ column: filter.column, ...(filter.low !== "" && { low: Number(filter.low) }), ...(filter.high !== "" && { high: Number(filter.high) }) });
    state.chapter = 0;
    redraw();
  };
  const columns = [["", "–"], ...numbers.map(one => [one, one])];
  const subset = async body => {
    try { made(say, config, (await post(config.data + "/table/subset", { file: config.file, block: facts.block, ...body })).job); } catch (error) { say.fail(error); }
  };
  page.append(el("div", { className: "vg-bar" },
    facts.block && choice("Sort by", columns, "", value => { state.sort = value; redraw(); }),
    facts.block && choice("Order", [["", "rising"], ["down", "falling"]], "", value => { state.down = Boolean(value); redraw(); }),
    slider("Size", { low: 48, high: 224, step: 16, value: 96, unit: "px" }, value => { state.side = value; soon(); }),
    slider("Low-pass", { low: 0, high: 40, step: 1, value: 0, unit: "Å", help: "Blur away detail finer than this. 0: not." }, value => { state.lowpass = value; soon(); }),
    facts.block && choice("Only where", columns, "", value => { filter.column = value; narrowed(); }),
    facts.block && entry("from", { size: 7 }, value => { filter.low = value; narrowed(); }),
    facts.block && entry("to", { size: 7 }, value => { filter.high = value; narrowed(); }),
    facts.block && config.writable && button("Subset of the chosen", () => subset({ rows: [...state.chosen] }), "A Select job with the particles that you clicked."),
    facts.block && config.writable && button("Subset of all shown", () => subset({ where: state.where }), "A Select job with the particles of this range.", "main"),
    told, pager), sheets);
  redraw();
  window.addEventListener("resize", later(() => { if (sheets.isConnected) redraw(); }, 300));
}
