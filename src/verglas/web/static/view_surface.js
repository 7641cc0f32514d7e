// The surface of a map at a threshold: triangles from the server, drawn with WebGL; drag to turn, wheel to come nearer.
import { address, el, entry, get, json, newest, number, slider } from "./view_kit.js";

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
  const levels = await json(address(config, "/volume/surface/levels", { file: config.file }));
  const canvas = el("canvas", { className: "vg-surface" }), legend = el("div", { className: "vg-legend", hidden: true });
  const told = el("span", { className: "vg-note" }), script = el("a", { textContent: "Open in ChimeraX (.cxc)", className: "vg-link" });
  const state = { level: levels.usual, colour: "" };
  const scene = drawing(canvas);
  const load = newest(async () => {
    script.href = address(config, "/volume/chimerax", { file: config.file, level: state.level, colour: state.colour });
    try {
      const answer = await get(address(config, "/volume/surface", { file: config.file, level: state.level, colour: state.colour }));
      const mesh = parsed(await answer.arrayBuffer());
      scene.load(mesh);
      told.textContent = `${number(mesh.triangles.length / 3)} triangles`;
      bar(legend, mesh);
      say.clear();
    } catch (error) { say.fail(error); }
  });
  page.append(el("div", { className: "vg-bar" },
    slider("Threshold", { low: levels.from, high: levels.to, value: levels.usual, help: "Density at which the surface is drawn." },
      value => { state.level = value; load(); }),
    entry("Colour by", { list: config.maps, placeholder: "local-resolution map", help: "A second map over the same box, such as local resolution." },
      value => { state.colour = value; load(); }), script, told), el("div", { className: "vg-stage" }, canvas, legend));
  await load();
}

function parsed(buffer) {
  const [points, triangles, coloured] = new Uint32Array(buffer, 0, 3), facts = new Float32Array(buffer, 12, 5);
  let at = 32;
  const next = (kind, count) => { const part = new kind(buffer, at, count); at += part.byteLength; return part; };
  const found = { box: facts.slice(0, 3), pixel: facts[3], points: next(Float32Array, 3 * points), triangles: next(Uint32Array, 3 * triangles) };
  found.values = coloured ? next(Float32Array, points) : null;
  found.normals = next(Int8Array, 3 * points);
  found.reach = reach(found);
  if (coloured) {
    const sorted = Float32Array.from(found.values).sort();
    found.range = [sorted[Math.floor(0.02 * points)], sorted[Math.floor(0.98 * (points - 1))]];
  }
  return found;
}

// How far the surface reaches from the middle of the box, so that it fills the view.
function reach({ box, points }) {
  let most = 1;
  for (let k = 0; k < points.length; k += 3) most = Math.max(most, Math.hypot(points[k] - box[0] / 2, points[k + 1] - box[1] / 2, points[k + 2] - box[2] / 2));
  return most;
}

function bar(legend, mesh) {
  legend.hidden = !mesh.values;
  if (mesh.values) legend.replaceChildren(el("span", { textContent: number(mesh.range[0], 3) }), el("i"), el("span", { textContent: number(mesh.range[1], 3) }));
}

function drawing(canvas) {
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
  const where = name => gl.getUniformLocation(program, name);
  let mesh = null, turn = [1, 0, 0, 0, 1, 0, 0, 0, 1], zoom = 1;
  function fill(name, data, size, kind, normalised) {
    const place = gl.getAttribLocation(program, name);
    if (!data) { gl.disableVertexAttribArray(place); return; }
    gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
    gl.bufferData(gl.ARRAY_BUFFER, data, gl.STATIC_DRAW);
    gl.enableVertexAttribArray(place);
    gl.vertexAttribPointer(place, size, kind, normalised, 0, 0);
  }
  function draw() {
    if (!mesh) return;
    const width = canvas.clientWidth, height = canvas.clientHeight, ratio = window.devicePixelRatio || 1;
    if (canvas.width !== Math.round(width * ratio)) { canvas.width = Math.round(width * ratio); canvas.height = Math.round(height * ratio); }
    gl.viewport(0, 0, canvas.width, canvas.height);
    gl.enable(gl.DEPTH_TEST);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    gl.uniformMatrix3fv(where("turn"), false, turn);
    gl.uniform3f(where("centre"), ...mesh.box.map(side => side / 2));
    gl.uniform1f(where("scale"), 0.92 * zoom / mesh.reach);
    gl.uniform2f(where("aspect"), Math.min(1, height / width), Math.min(1, width / height));
    gl.uniform2f(where("range"), ...(mesh.range || [0, -1]));
    gl.uniform3f(where("plain"), 0.5, 0.72, 0.8);
    gl.drawElements(gl.TRIANGLES, mesh.triangles.length, gl.UNSIGNED_INT, 0);
  }
  let held = null;
  canvas.addEventListener("pointerdown", event => { held = [event.clientX, event.clientY]; canvas.setPointerCapture(event.pointerId); });
  canvas.addEventListener("pointerup", () => { held = null; });
  canvas.addEventListener("pointermove", event => {
    if (!held) return;
    turn = times(about(0, (event.clientY - held[1]) / 150), times(about(1, (event.clientX - held[0]) / 150), turn));
    held = [event.clientX, event.clientY];
    requestAnimationFrame(draw);
  });
  canvas.addEventListener("wheel", event => {
    event.preventDefault();
    zoom = Math.min(20, Math.max(0.2, zoom * Math.exp(-event.deltaY / 600)));
    requestAnimationFrame(draw);
  }, { passive: false });
  new ResizeObserver(() => requestAnimationFrame(draw)).observe(canvas);
  return {
    load(next) {
      mesh = next;
      fill("point", mesh.points, 3, gl.FLOAT, false);
      fill("normal", mesh.normals, 3, gl.BYTE, true);
      fill("value", mesh.values, 1, gl.FLOAT, false);
      gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, gl.createBuffer());
      gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, mesh.triangles, gl.STATIC_DRAW);
      draw();
    },
  };
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
