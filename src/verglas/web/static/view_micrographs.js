// A micrograph with its picks: move, zoom, filter, threshold, add and delete; the result becomes a job.
import { address, button, choice, colour, el, get, json, keep, keys, later, made, newest, notice, number, post, scaleBar, sharp, slider, stem, tick } from "./view_kit.js";

const BASE = 1024;

export async function mount(root, config) {
  root.classList.add("vg");
  const say = notice(), canvas = el("canvas", { className: "vg-field" });
  root.replaceChildren(say);
  try {
    const found = await json(address(config, "/picks", { file: config.file }));
    new Field(root, config, found, say, canvas);
  } catch (error) { say.fail(error); }
}

class Field {
  constructor(root, config, found, say, canvas) {
    Object.assign(this, { config, say, canvas, list: found.micrographs, at: 0, lowpass: 0, highpass: 0, contrast: 3, threshold: null });
    this.edits = new Map();
    this.without = new Set();
    this.kept = new Map();
    this.size = { width: 4096, height: 4096, pixel: null };
    this.view = { x: 0, y: 0, scale: 0 };
    this.picks = [];
    this.diameter = found.diameter || 150;
    this.fetchBase = newest(() => this.base());
    this.fetchDetail = later(() => this.detail(), 150);
    root.append(this.bar(), el("div", { className: "vg-stage" }, canvas));
    this.listen();
    this.open(0);
  }

  bar() {
    const names = this.list.map((one, k) => [String(k), one.name.split("/").pop() + (one.picks >= 0 ? ` (${one.picks})` : "")]);
    this.chooser = choice("Micrograph", names, "0", value => this.open(Number(value)));
    this.cut = slider("Figure of merit ≥", { low: 0, high: 1, value: 0, help: "Picks below are left out; the saved job leaves them out too." },
      value => { this.threshold = value; this.draw(); });
    this.cut.hidden = true;
    this.adding = tick("Add and delete picks", false, value => { this.canvas.style.cursor = value ? "crosshair" : "grab"; },
      "Click where there is none to add a pick; click near the middle of a pick to delete it.");
    this.told = el("span", { className: "vg-note" });
    this.ring = slider("Circle", { low: 10, high: 600, step: 1, value: this.diameter, unit: "Å", help: "Diameter of the circles." },
      value => { this.diameter = value; this.draw(); });
    this.saver = button("Save the picks", () => this.save(), "A ManualPick job with the picks as they are shown here, of all micrographs.", "main");
    this.undo = button("Undo", () => this.restore(), "The picks of this micrograph as they were.");
    this.leaving = tick("Leave this micrograph out", false, value => { value ? this.without.add(this.name()) : this.without.delete(this.name()); this.tell(); }, "Mark bad micrographs, then make a subset of the others.");
    this.subset = button("Subset of the others", () => this.keepOthers(), "A Select job with all micrographs but those that were marked.", "main");
    return el("div", { className: "vg-bar" },
      button("‹", () => this.open(this.at - 1), "Previous micrograph"), this.chooser, button("›", () => this.open(this.at + 1), "Next micrograph"),
      slider("Low-pass", { low: 0, high: 60, step: 1, value: 0, unit: "Å", help: "Blur away detail finer than this. 0: not." },
        value => { this.lowpass = value; this.refresh(); }),
      slider("High-pass", { low: 0, high: 2000, step: 20, value: 0, unit: "Å", help: "Remove slow changes, such as thick ice, longer than this. 0: not." },
        value => { this.highpass = value; this.refresh(); }),
      slider("Contrast", { low: 1, high: 8, step: 0.1, value: 3, help: "Black and white, in standard deviations from the mean." },
        value => { this.contrast = value; this.refresh(); }),
      this.cut, this.ring, ...(this.config.writable ? [this.adding, this.undo, this.saver, this.leaving, this.subset] : []),
      button("Whole field", () => this.whole(), "Zoom out (Esc)."), button("PNG", () => keep(this.canvas, `${stem(this.name())}.png`), "Keep what is shown as a picture."), this.told);
  }

  whole() { this.fit(); this.draw(); }

  name() { return this.list[this.at].name; }

  async open(which) {
    this.at = Math.max(0, Math.min(this.list.length - 1, which));
    this.chooser.list.value = String(this.at);
    this.leaving.box.checked = this.without.has(this.name());
    this.image = this.close = null;
    const name = this.name();
    this.say.clear();
    try {
      const one = this.list[this.at];
      await this.load(name);
      if (one.there) await this.measure(name);
      if (name !== this.name()) return;
      if (!one.there) {
        const [width, height] = [0, 1].map(k => -1.05 * Math.min(-100, least(this.picks.map(one => -one[k]))));
        this.size = { width, height, pixel: null };
        this.say.fail(new Error(`The file ${name} is not there, so only its picks are shown.`));
      }
      this.fit();
      this.draw();
      if (one.there) this.fetchBase();
    } catch (error) { this.say.fail(error); }
  }

  async measure(name) {
    const facts = await json(address(this.config, "/image", { file: name }));
    this.size = { width: facts.width, height: facts.height, pixel: facts.pixel };
  }

  async load(name) {
    if (!this.edits.has(name) && !this.kept.has(name)) {
      const found = await json(address(this.config, "/picks/of", { file: this.config.file, micrograph: name }));
      this.list.find(one => one.name === name).there = found.there;
      this.kept.set(name, found.xy.map((xy, k) => [xy[0], xy[1], found.fom[k] ?? 0]));
    }
    if (name !== this.name()) return;
    this.picks = this.edits.get(name) || this.kept.get(name);
    const values = this.picks.map(one => one[2]).filter(value => value > -900), low = least(values), high = -least(values.map(value => -value));
    this.cut.hidden = !(high > low);
    if (high > low) this.cut.set(this.threshold ?? low, Math.min(low, this.threshold ?? low), high);
  }

  refresh() { this.close = null; this.fetchBase(); }

  source(extra) {
    return address(this.config, "/image/picture", { file: this.name(), side: BASE, contrast: this.contrast, lowpass: this.lowpass, highpass: this.highpass, ...extra });
  }

  async bitmap(url) { return createImageBitmap(await (await get(url)).blob()); }

  async base() {
    if (!this.list[this.at].there) return;
    try {
      const name = this.name(), image = await this.bitmap(this.source({}));
      if (name !== this.name()) return;
      this.image = image;
      this.draw();
      this.fetchDetail();
    } catch (error) { this.say.fail(error); }
  }

  async detail() {
    const { x, y, scale } = this.view, width = this.canvas.clientWidth / scale, height = this.canvas.clientHeight / scale;
    const left = Math.max(0, Math.floor(x)), top = Math.max(0, Math.floor(y));
    const wide = Math.min(this.size.width - left, Math.ceil(width)), high = Math.min(this.size.height - top, Math.ceil(height));
    if (!this.image || wide < 1 || high < 1 || Math.max(wide, high) > 0.6 * Math.max(this.size.width, this.size.height)) { this.close = null; return; }
    try {
      const image = await this.bitmap(this.source({ x: left, y: top, width: wide, height: high }));
      this.close = { image, left, top, wide, high };
      this.draw();
    } catch (error) { this.say.fail(error); }
  }

  fit() {
    const width = this.canvas.clientWidth || 800, height = this.height();
    const scale = Math.min(width / this.size.width, height / this.size.height);
    this.view = { scale, x: (this.size.width - width / scale) / 2, y: (this.size.height - height / scale) / 2 };
    this.close = null;
  }

  height() { return Math.max(360, window.innerHeight - this.canvas.getBoundingClientRect().top - window.scrollY - 24); }

  draw() {
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => this.paint());
  }

  paint() {
    const width = this.canvas.clientWidth, height = this.height(), pen = sharp(this.canvas, width, height, true), { x, y, scale } = this.view;
    pen.fillStyle = colour("--v-stage");
    pen.fillRect(0, 0, width, height);
    pen.imageSmoothingEnabled = scale * this.size.width / BASE < 3;
    const place = (image, left, top, wide, high) => pen.drawImage(image, (left - x) * scale, (top - y) * scale, wide * scale, high * scale);
    if (this.image) place(this.image, 0, 0, this.size.width, this.size.height);
    if (this.close) place(this.close.image, this.close.left, this.close.top, this.close.wide, this.close.high);
    const radius = this.radius() * scale;
    let shown = 0;
    pen.beginPath();
    for (const [px, py, fom] of this.picks) {
      if (this.threshold !== null && fom < this.threshold) continue;
      shown++;
      const cx = (px - x + 0.5) * scale, cy = (py - y + 0.5) * scale;
      if (cx < -radius || cy < -radius || cx > width + radius || cy > height + radius) continue;
      pen.moveTo(cx + radius, cy);
      pen.arc(cx, cy, radius, 0, 2 * Math.PI);
    }
    pen.lineWidth = 1.6;
    pen.strokeStyle = "#39d2a0";
    pen.stroke();
    if (this.size.pixel) scaleBar(pen, height, scale / this.size.pixel, width / 4);
    this.shown = shown;
    this.tell();
    this.canvas.dataset.ready = String(Boolean(this.image) || !this.list[this.at].there);
  }

  tell() {
    const hidden = this.picks.length - this.shown, edited = this.edits.size;
    this.told.textContent = `${number(this.shown)} picks` + (hidden ? `, ${number(hidden)} below the threshold` : "") + (edited ? `; ${edited} micrograph${edited > 1 ? "s" : ""} edited, not saved` : "")
      + (this.without.size ? `; ${this.without.size} of ${this.list.length} micrographs left out` : "");
    this.saver.hidden = !edited && this.threshold === null;
    this.undo.hidden = !this.edits.has(this.name());
    this.subset.hidden = !this.without.size;
    this.canvas.setAttribute("aria-label", `${this.name()} with ${this.shown} picks`);
  }

  radius() { return this.size.pixel ? this.diameter / this.size.pixel / 2 : 0.015 * this.size.width; }

  listen() {
    let held = null, moved = false;
    const { canvas } = this;
    canvas.style.cursor = "grab";
    canvas.setAttribute("role", "img");
    const middle = by => () => this.zoom(by, canvas.clientWidth / 2, canvas.clientHeight / 2);
    keys(canvas, { ArrowLeft: () => this.open(this.at - 1), ArrowRight: () => this.open(this.at + 1), "+": middle(1.3), "-": middle(1 / 1.3), Escape: () => this.whole() });
    canvas.addEventListener("pointerdown", event => { held = [event.clientX, event.clientY]; moved = false; canvas.setPointerCapture(event.pointerId); });
    canvas.addEventListener("pointermove", event => {
      if (!held) return;
      const dx = event.clientX - held[0], dy = event.clientY - held[1];
      if (!moved && Math.hypot(dx, dy) < 4) return;
      moved = true;
      this.view.x -= dx / this.view.scale;
      this.view.y -= dy / this.view.scale;
      held = [event.clientX, event.clientY];
      this.draw();
    });
    canvas.addEventListener("pointerup", event => {
      if (held && moved) this.fetchDetail(); else if (held && this.adding.box.checked) this.edit(event);
      held = null;
    });
    canvas.addEventListener("wheel", event => {
      event.preventDefault();
      const area = canvas.getBoundingClientRect();
      this.zoom(Math.exp(-event.deltaY / 500), event.clientX - area.left, event.clientY - area.top);
    }, { passive: false });
    window.addEventListener("resize", () => { if (canvas.isConnected) { this.fit(); this.draw(); } });
  }

  // The point of the picture at (px, py) of the canvas stays there.
  zoom(by, px, py) {
    const { x, y, scale } = this.view, next = Math.min(20, Math.max(0.02, scale * by));
    this.view = { scale: next, x: x + px / scale - px / next, y: y + py / scale - py / next };
    this.draw();
    this.fetchDetail();
  }

  edit(event) {
    const area = this.canvas.getBoundingClientRect(), x = (event.clientX - area.left) / this.view.scale + this.view.x - 0.5;
    const y = (event.clientY - area.top) / this.view.scale + this.view.y - 0.5, radius = this.radius();
    const on = this.picks.filter(one => this.threshold === null || one[2] >= this.threshold)
      .map(one => [Math.hypot(one[0] - x, one[1] - y), one]).sort((a, b) => a[0] - b[0])[0];
    const best = Math.max(0, -least(this.picks.map(one => -one[2])));
    if (on && on[0] < 0.6 * radius) this.picks = this.picks.filter(one => one !== on[1]);
    else if (x >= 0 && y >= 0 && x < this.size.width && y < this.size.height) this.picks = [...this.picks, [x, y, best]];
    else return;
    this.edits.set(this.name(), this.picks);
    this.draw();
  }

  restore() {
    this.edits.delete(this.name());
    this.picks = this.kept.get(this.name());
    this.draw();
  }

  async keepOthers() {
    try {
      made(this.say, this.config, (await post(this.config.data + "/picks/subset", { file: this.config.file, without: [...this.without] })).job);
    } catch (error) { this.say.fail(error); }
  }

  async save() {
    this.saver.disabled = true;
    try {
      const answer = await post(this.config.data + "/picks/save", { file: this.config.file, edits: Object.fromEntries(this.edits), threshold: this.threshold });
      for (const [name, picks] of this.edits) this.kept.set(name, picks);
      this.edits.clear();
      this.draw();
      made(this.say, this.config, answer.job, "The edited set of picks");
    } catch (error) { this.say.fail(error); }
    this.saver.disabled = false;
  }
}

function least(values) { return values.reduce((found, value) => Math.min(found, value), Infinity); } // Math.min takes some ten thousand only
