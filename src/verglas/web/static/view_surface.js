// The surface of a map at a threshold, alone or beside another: triangles from the server, drawn with WebGL.
import { address, button, choice, el, get, json, keep, keys, named, newest, number, slider, stem } from "./view_kit.js";

const VERTEX = `#version 300 es
in vec3 point; in vec3 normal; in float value;
uniform mat3 turn; uniform vec3 centre; uniform float scale; uniform vec2 range; uniform vec2 aspect;
out vec3 facing; out float shade;
void main() {
  vec3 at = turn * (point - centre) * scale;
  gl_Position = vec4(at.x * aspect.x, at.y * aspect.y, -at.z * 0.45, 1.0);
  facing = turn * normal;
  shade = range.y > range.x ? clamp((value - range.x) / (range.y - range.x), 0.0, 1.0) : -1.0;
}`;
const FRAGMENT = `#version 300 es
precision highp float;
in vec3 facing; in float shade;
uniform vec3 plain;
out vec4 result;
vec3 rainbow(float t) {
  return t < 0.5 ? mix(vec3(0.13, 0.37, 0.75), vec3(0.92, 0.92, 0.78), 2.0 * t) : mix(vec3(0.92, 0.92, 0.78), vec3(0.76, 0.16, 0.14), 2.0 * t - 1.0);
}
void main() {
  vec3 n = normalize(facing);
  float light = 0.25 + 0.65 * max(dot(n, normalize(vec3(-0.45, 0.55, 0.7))), 0.0) + 0.15 * max(dot(n, vec3(0.0, 0.0, 1.0)), 0.0);
  result = vec4((shade < 0.0 ? plain : rainbow(shade)) * light, 1.0);
}`;

export async function mount(page, config, say) {
  const camera = { turn: [1, 0, 0, 0, 1, 0, 0, 0, 1], zoom: 1, scenes: [] }, none = [["", "none"]], maps = config.maps.map(named);
  const bar = el("div", { className: "vg-bar" }), stages = el("div", { className: "vg-surfaces" });
  // After each drawing: what it says, the ends of the colours, the scripts.
  const drawn = () => {
    told.textContent = [first, second].filter(Boolean).map(one => one.words).join("; ");
    colours.hidden = !first.range;
    if (first.range) ends.forEach((one, k) => one.set(first.range[k], ...first.limits));
    scripts();
  };
  const told = el("span", { className: "vg-note" });
  const first = await surface(config, config.file, camera, say, drawn), levels = first.slider("Threshold");
  let second = null;
  const ends = [slider("Colours from", { low: 0, high: 1, value: 0, help: "Value of the second map that is blue." }, value => first.recolour(value, null)),
    slider("to", { low: 0, high: 1, value: 1, help: "Value of the second map that is red." }, value => first.recolour(null, value))];
  const colours = el("span", { className: "vg-row", hidden: true }, ...ends);
  const colourBy = choice("Colour by", [...none, ...maps], "", value => first.colourBy(value), "A second map over the same box, such as a local resolution.");
  const beside = choice("Beside", [...none, ...maps], "", async value => {
    second?.end();
    second = null;
    try { second = value ? await surface(config, value, camera, say, drawn) : null; } catch (error) { say.fail(error); }
    more.replaceChildren(...(second ? [second.slider("Its threshold")] : []));
    if (second) stages.append(second.box);
    camera.draw();
    drawn();
  }, "The surface of another map; both turn together.");
  const more = el("span"), links = [el("a", { textContent: "script", className: "vg-link", title: "A .cxc file that opens the map of this project as it is shown here, where its folder can be reached." }),
    el("a", { textContent: "with the maps (.zip)", className: "vg-link", title: "For ChimeraX on another computer: unpack it and open the .cxc file." })];
  function scripts() {
    const [low, high] = first.range || [null, null], asked = { file: config.file, level: first.level, colour: first.colour, low, high };
    links.forEach((link, packed) => { link.href = address(config, "/volume/chimerax", { ...asked, packed: packed ? 1 : "" }); });
  }
  bar.append(levels, maps.length ? colourBy : "", colours, maps.length ? beside : "", more, button("PNG", () => first.png(), "Keep this view as a picture."),
    el("span", { className: "vg-row" }, el("span", { className: "vg-note", textContent: "Open in ChimeraX:" }), ...links), told);
  colours.addEventListener("input", scripts);
  stages.append(first.box);
  page.append(bar, stages);
  camera.draw = () => camera.scenes.forEach(one => one.draw());
  await first.load();
}

// One map: its canvas, and what is chosen for it.
async function surface(config, file, camera, say, drawn) {
  const levels = await json(address(config, "/volume/surface/levels", { file }));
  const canvas = el("canvas", { className: "vg-surface", role: "img" }), legend = el("div", { className: "vg-legend", hidden: true }), name = file.split("/").pop();
  const scene = drawing(canvas, camera), label = el("div", { className: "vg-label", textContent: file });
  const one = { box: el("div", { className: "vg-stage" }, canvas, label, legend), level: levels.usual, colour: "", range: null, limits: null, words: "" };
  one.load = newest(async () => {
    try {
      const answer = await get(address(config, "/volume/surface", { file, level: one.level, colour: one.colour })), mesh = parsed(await answer.arrayBuffer());
      if (!mesh.values) one.range = one.limits = null;
      else {
        const sorted = Float32Array.from(mesh.values).sort(), count = sorted.length;
        one.limits = [sorted[0], sorted[count - 1]];
        one.range ||= [sorted[Math.floor(0.02 * count)], sorted[Math.floor(0.98 * (count - 1))]];
      }
      scene.load(mesh, one.range);
      one.words = `${number(mesh.triangles.length / 3)} triangles` + (mesh.pixel > 0 ? `, voxels of ${number(mesh.pixel, 3)} Å` : "");
      canvas.setAttribute("aria-label", `surface of ${name} at ${number(one.level)}`);
      canvas.dataset.triangles = mesh.triangles.length / 3;
      key();
      drawn();
      say.clear();
    } catch (error) { say.fail(error); }
  });
  function key() {
    legend.hidden = !one.colour || !one.range;
    if (!legend.hidden) legend.replaceChildren(el("span", { textContent: number(one.range[0], 3) }), el("i"), el("span", { textContent: number(one.range[1], 3) + (/loc\w*res/i.test(one.colour) && !/filtered/i.test(one.colour) ? " Å" : "") }));
  }
  one.slider = title => slider(title, { low: levels.from, high: levels.to, value: levels.usual, help: "Density at which the surface is drawn." }, value => { one.level = value; one.load(); });
  one.colourBy = value => { Object.assign(one, { colour: value, range: null }); one.load(); };
  one.recolour = (low, high) => { one.range = [low ?? one.range[0], high ?? one.range[1]]; scene.recolour(one.range); key(); };
  one.png = () => { scene.draw(); keep(canvas, `${stem(file)}_surface.png`); };
  one.end = () => { camera.scenes = camera.scenes.filter(other => other !== scene); scene.end(); one.box.remove(); };
  if (camera.scenes.length > 1) await one.load();
  return one;
}

function parsed(buffer) {
  const [points, triangles, coloured] = new Uint32Array(buffer, 0, 3), facts = new Float32Array(buffer, 12, 5);
  let at = 32;
  const next = (kind, count) => { const part = new kind(buffer, at, count); at += part.byteLength; return part; };
  const found = { box: facts.slice(0, 3), pixel: facts[3], points: next(Float32Array, 3 * points), triangles: next(Uint32Array, 3 * triangles) };
  found.values = coloured ? next(Float32Array, points) : null;
  found.normals = next(Int8Array, 3 * points);
  found.reach = reach(found) * (found.pixel || 1);
  return found;
}

// How far the surface reaches from the middle of the box, so that it fills the view.
function reach({ box, points }) {
  let most = 1;
  for (let k = 0; k < points.length; k += 3) most = Math.max(most, Math.hypot(points[k] - box[0] / 2, points[k + 1] - box[1] / 2, points[k + 2] - box[2] / 2));
  return most;
}

function drawing(canvas, camera) {
  const gl = canvas.getContext("webgl2", { antialias: true, alpha: true });
  if (!gl) throw new Error("This browser cannot draw surfaces (no WebGL 2).\n-> use a newer browser, or open the map in ChimeraX");
  const program = gl.createProgram();
  for (const [kind, text] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, text);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  gl.useProgram(program);
  const where = name => gl.getUniformLocation(program, name), buffers = {};
  let mesh = null, range = null;
  function fill(name, data, size, kind, normalised) {
    const place = gl.getAttribLocation(program, name);
    if (!data) { gl.disableVertexAttribArray(place); return; }
    buffers[name] ??= gl.createBuffer();
    gl.bindBuffer(gl.ARRAY_BUFFER, buffers[name]);
    gl.bufferData(gl.ARRAY_BUFFER, data, gl.DYNAMIC_DRAW);
    gl.enableVertexAttribArray(place);
    gl.vertexAttribPointer(place, size, kind, normalised, 0, 0);
  }
  const scene = { reach: 1 };
  scene.draw = () => {
    if (!mesh) return;
    const width = canvas.clientWidth, height = canvas.clientHeight, ratio = window.devicePixelRatio || 1;
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) { canvas.width = Math.round(width * ratio); canvas.height = Math.round(height * ratio); }
    gl.viewport(0, 0, canvas.width, canvas.height);
    gl.enable(gl.DEPTH_TEST);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    gl.uniformMatrix3fv(where("turn"), false, camera.turn);
    gl.uniform3f(where("centre"), ...mesh.box.map(side => side / 2));
    gl.uniform1f(where("scale"), 0.92 * camera.zoom * (mesh.pixel || 1) / Math.max(...camera.scenes.map(one => one.reach)));
    gl.uniform2f(where("aspect"), Math.min(1, height / width), Math.min(1, width / height));
    gl.uniform2f(where("range"), ...(mesh.values && range ? range : [0, -1]));
    gl.uniform3f(where("plain"), 0.5, 0.72, 0.8);
    gl.drawElements(gl.TRIANGLES, mesh.triangles.length, gl.UNSIGNED_INT, 0);
  };
  scene.load = (next, ends) => {
    mesh = next;
    range = ends;
    scene.reach = mesh.reach;
    fill("point", mesh.points, 3, gl.FLOAT, false);
    fill("normal", mesh.normals, 3, gl.BYTE, true);
    fill("value", mesh.values, 1, gl.FLOAT, false);
    buffers.triangles ??= gl.createBuffer();
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, buffers.triangles);
    gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, mesh.triangles, gl.DYNAMIC_DRAW);
    camera.draw();
  };
  scene.end = () => gl.getExtension("WEBGL_lose_context")?.loseContext(); // a browser keeps few of them
  scene.recolour = ends => { range = ends; camera.draw(); };
  camera.scenes.push(scene);
  move(canvas, camera);
  new ResizeObserver(() => requestAnimationFrame(scene.draw)).observe(canvas);
  return scene;
}

// Drag or arrow keys turn, wheel or + and - come nearer, Escape is the first view.
function move(canvas, camera) {
  let held = null;
  const soon = () => { cancelAnimationFrame(camera.frame); camera.frame = requestAnimationFrame(camera.draw); };
  const turn = (right, down) => { camera.turn = times(about(0, down), times(about(1, right), camera.turn)); soon(); };
  const nearer = by => { camera.zoom = Math.min(20, Math.max(0.2, camera.zoom * by)); soon(); };
  canvas.addEventListener("pointerdown", event => { held = [event.clientX, event.clientY]; canvas.setPointerCapture(event.pointerId); });
  canvas.addEventListener("pointerup", () => { held = null; });
  canvas.addEventListener("pointermove", event => {
    if (!held) return;
    turn((event.clientX - held[0]) / 150, (event.clientY - held[1]) / 150);
    held = [event.clientX, event.clientY];
  });
  canvas.addEventListener("wheel", event => { event.preventDefault(); nearer(Math.exp(-event.deltaY / 600)); }, { passive: false });
  keys(canvas, { ArrowLeft: () => turn(-0.15, 0), ArrowRight: () => turn(0.15, 0), ArrowUp: () => turn(0, -0.15), ArrowDown: () => turn(0, 0.15),
    "+": () => nearer(1.2), "-": () => nearer(1 / 1.2), Escape: () => { Object.assign(camera, { turn: [1, 0, 0, 0, 1, 0, 0, 0, 1], zoom: 1 }); soon(); } });
}

// Matrices in columns, as WebGL wants them; x (0): upwards drag tips the top away, y (1): to the right.
function about(axis, angle) {
  const c = Math.cos(angle), s = Math.sin(angle);
  return axis === 0 ? [1, 0, 0, 0, c, s, 0, -s, c] : [c, 0, -s, 0, 1, 0, s, 0, c];
}

function times(a, b) {
  const out = [];
  for (let column = 0; column < 3; column++) for (let row = 0; row < 3; row++)
    out.push(a[row] * b[3 * column] + a[3 + row] * b[3 * column + 1] + a[6 + row] * b[3 * column + 2]);
  return out;
}
