"use strict";

// The playground: drag points, and watch five learners adapt. Sections: 1 the network, 2 how it
// learns, 3 what the page shows and its address, 4 drawing, 5 mouse, touch and keys, 6 proofs.

// 1. The network of the lessons, 1-40-40-1 with ReLU and squared error: tinymeta/mlp.py in loops.
// theta is one array in tinymeta's order: W1 (1 x 40), b1, W2 (40 x 40), b2, W3 (40 x 1), b3.

const N = 40;
const W1 = 0, B1 = W1 + N, W2 = B1 + N, B2 = W2 + N * N, W3 = B2 + N, B3 = W3 + N, P = B3 + 1;
const h1 = new Float64Array(N), h2 = new Float64Array(N); // the hidden layers, by forward()

function forward(theta, x) {
  h2.set(theta.subarray(B2, W3));
  for (let i = 0; i < N; i++) {
    const h = h1[i] = Math.max(0, theta[W1 + i] * x + theta[B1 + i]), row = W2 + i * N;
    if (h === 0) continue; // a unit that is off adds nothing
    for (let j = 0; j < N; j++) h2[j] += h * theta[row + j];
  }
  let output = theta[B3];
  for (let j = 0; j < N; j++) {
    h2[j] = Math.max(0, h2[j]);
    output += h2[j] * theta[W3 + j];
  }
  return output;
}

function loss(theta, points) {
  return points.reduce((sum, p) => sum + (forward(theta, p.x) - p.y) ** 2, 0) / points.length;
}

function gradient(theta, points) {
  const grad = new Float64Array(P), delta2 = new Float64Array(N);
  for (const p of points) {
    const delta3 = 2 * (forward(theta, p.x) - p.y) / points.length;
    grad[B3] += delta3;
    for (let j = 0; j < N; j++) {
      grad[W3 + j] += h2[j] * delta3;
      delta2[j] = h2[j] === 0 ? 0 : theta[W3 + j] * delta3;
      grad[B2 + j] += delta2[j];
    }
    for (let i = 0; i < N; i++) {
      const h = h1[i], row = W2 + i * N;
      if (h === 0) continue;
      let delta1 = 0;
      for (let j = 0; j < N; j++) {
        grad[row + j] += h * delta2[j];
        delta1 += theta[row + j] * delta2[j];
      }
      grad[B1 + i] += delta1;
      grad[W1 + i] += delta1 * p.x;
    }
  }
  return grad;
}

// 2. How it learns: gradient descent (tinymeta/meta.py), or a head that is solved for
// (tinymeta/extras/ridge.py). Both return theta_0, theta_1, ... theta_32.

const STEPS = 32;
const QUERY = Array.from({ length: 50 }, (_, i) => i * (10 / 49) - 5); // where losses are measured

function adapt(theta, points, rate) {
  const thetas = [theta];
  for (let s = 0; s < STEPS; s++) {
    const grad = gradient(thetas[s], points);
    thetas.push(thetas[s].map((t, p) => t - rate * grad[p]));
  }
  return thetas;
}

// The last layer w with the least |F w - y|^2 + lambda |w|^2, for the features F of the points:
// A = F F' + lambda I, a = A^-1 y, w = F' a. `stored` is the body, and log lambda after it.
function solveHead(stored, points) {
  const theta = new Float64Array(P);
  theta.set(stored.subarray(0, W3));
  const F = points.map(p => (forward(theta, p.x), [...h2, 1]));
  const dot = (f, g) => f.reduce((sum, value, d) => sum + value * g[d], 0);
  const A = F.map((f, i) => F.map((g, j) => dot(f, g) + (i === j ? Math.exp(stored[W3]) : 0)));
  const a = points.map(p => p.y), K = a.length;
  for (let k = 0; k < K; k++) { // A is positive definite: elimination needs no pivots
    for (let i = k + 1; i < K; i++) {
      const factor = A[i][k] / A[k][k];
      for (let j = k; j < K; j++) A[i][j] -= factor * A[k][j];
      a[i] -= factor * a[k];
    }
  }
  for (let k = K - 1; k >= 0; k--) {
    for (let j = k + 1; j < K; j++) a[k] -= A[k][j] * a[j];
    a[k] /= A[k][k];
  }
  for (let d = 0; d <= N; d++) theta[W3 + d] = dot(F.map(f => f[d]), a);
  return Array(STEPS + 1).fill(theta); // it takes no steps
}

function decode(text) { // base64 of float32 numbers
  const bytes = Uint8Array.from(atob(text), c => c.charCodeAt(0));
  return Float64Array.from(new Float32Array(bytes.buffer));
}

const $ = id => document.getElementById(id);
const SLUGS = {
  "MAML": "maml", "first-order MAML": "first-order", "Reptile": "reptile", "joint": "joint",
  "ridge head": "ridge",
};
const WEIGHTS = JSON.parse($("weights").textContent);
for (const name in WEIGHTS) WEIGHTS[name] = decode(WEIGHTS[name]);

// Return {name: {thetas, losses}}, both after 0, 1, ... 32 steps on the points.
function learn(points, amplitude, phase, rate) {
  const wave = QUERY.map(x => ({ x, y: amplitude * Math.sin(x + phase) }));
  const learned = {};
  for (const [name, theta] of Object.entries(WEIGHTS)) {
    const thetas = (name === "ridge head" ? solveHead : adapt)(theta, points, rate);
    const losses = [];
    thetas.forEach((t, s) => losses.push(t === thetas[s - 1] ? losses[s - 1] : loss(t, wave)));
    learned[name] = { thetas, losses };
  }
  return learned;
}

// 3. What the page shows: four sliders, the points {x, y, on}, and the curves that are hidden. A
// point that is `on` the wave follows it. The address keeps all of it, in four decimals.

const SLIDERS = ["amplitude", "phase", "steps", "rate"], LIMIT = { x: 5, y: 6 }, MOST = 60;
const EXAMPLE = JSON.parse($("example").textContent).map(x => ({ x, on: true }));
let points = [], chosen = null, hidden = new Set();

const value = id => Number($(id).value);
const four = (v, limit) => Math.round(Math.max(-limit, Math.min(limit, v)) * 1e4) / 1e4;
const wave = x => value("amplitude") * Math.sin(x + value("phase"));
const newPoint = (x, y) =>
  ({ x: four(x, LIMIT.x), y: y === undefined ? 0 : four(y, LIMIT.y), on: y === undefined });

function address() {
  const parts = SLIDERS.map(id => `${id}=${value(id)}`);
  parts.push("points=" + points.map(p => p.on ? p.x : `${p.x}:${p.y}`).join(","));
  if (hidden.size) parts.push("hide=" + [...hidden].join(","));
  return "#" + parts.join("&");
}

function readAddress(hash) {
  const said = new URLSearchParams(hash.slice(1));
  for (const id of SLIDERS) {
    const number = parseFloat(said.get(id));
    $(id).value = isFinite(number) ? number : $(id).defaultValue;
  }
  const numbers = (said.get("points") || "").split(",").map(p => p.split(":").map(parseFloat));
  points = numbers.filter(p => p.every(isFinite)).slice(0, MOST).map(p => newPoint(...p));
  if (!points.length) points = EXAMPLE.map(p => newPoint(p.x));
  const asked = (said.get("hide") || "").split(",");
  hidden = new Set(Object.values(SLUGS).filter(slug => asked.includes(slug)));
  chosen = null;
}

// 4. Drawing. The pictures are as wide as the window lets them; one unit is one pixel.

const GRID = Array.from({ length: 201 }, (_, i) => -5 + i / 20);
let fit, chart, learned, pending = 0, saving = 0;

// Draw the frame of a picture, and return the places in it: {x, y}, functions of a number each.
function frame(svg, xTicks, yTicks, scale = v => v) {
  const { width, height } = svg.getBoundingClientRect();
  const left = 42, right = width - 10, top = 8, bottom = height - 22;
  const between = (v, a, b, from, to) => from + (v - a) / (b - a) * (to - from);
  const x = v => between(v, xTicks[0], xTicks.at(-1), left, right);
  const y = v => between(scale(v), scale(yTicks[0]), scale(yTicks.at(-1)), bottom, top);
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.querySelector("clipPath").innerHTML =
    `<rect x="${left}" y="${top}" width="${right - left}" height="${bottom - top}"/>`;
  svg.querySelector(".frame").innerHTML =
    xTicks.map(v => `<path d="M${x(v)} ${top}V${bottom}"/>` +
      `<text x="${x(v)}" y="${bottom + 16}" text-anchor="middle">${v}</text>`).join("") +
    yTicks.map(v => `<path d="M${left} ${y(v)}H${right}"/>` +
      `<text x="${left - 6}" y="${y(v) + 4}" text-anchor="end">${v}</text>`).join("");
  return { x, y };
}

function path(look, places) {
  let d = "", pen = "M";
  for (const [x, y] of places) {
    if (!isFinite(y)) { pen = "M"; continue; }
    d += `${pen}${x.toFixed(1)} ${Math.max(-1e4, Math.min(1e4, y)).toFixed(1)}`;
    pen = "L";
  }
  return `<path class="${look}" d="${d}"/>`;
}

function digits(number) {
  if (!(number < 1e99)) return "∞";
  if (number < 9999.5) return number.toFixed(number < 99.995 ? 2 : 0);
  return number.toExponential(0).replace("e+", "e");
}

function layOut() {
  fit = frame($("fit"), [-5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5], [-6, -4, -2, 0, 2, 4, 6]);
  chart = frame($("losses"), [0, 4, 8, 12, 16, 20, 24, 28, 32], [0.001, 0.01, 0.1, 1, 10, 100],
    Math.log10);
  redraw();
}

function redraw() {
  pending ||= requestAnimationFrame(update);
}

function update() {
  pending = 0;
  const steps = value("steps"), shown = Object.keys(WEIGHTS).filter(n => !hidden.has(SLUGS[n]));
  for (const p of points) if (p.on) p.y = wave(p.x);
  learned = learn(points, value("amplitude"), value("phase"), value("rate"));
  $("curves").innerHTML = path("wave", GRID.map(x => [fit.x(x), fit.y(wave(x))])) +
    shown.map(name => path(SLUGS[name], GRID.map(x =>
      [fit.x(x), fit.y(forward(learned[name].thetas[steps], x))]))).join("");
  $("loss-curves").innerHTML = path("now", [1e-9, 1e9].map(l => [chart.x(steps), chart.y(l)])) +
    shown.map(name => path(SLUGS[name], learned[name].losses.map((l, s) =>
      [chart.x(s), chart.y(l)]))).join("");
  drawPoints();
  for (const [name, slug] of Object.entries(SLUGS)) {
    const row = $("row-" + slug), { losses } = learned[name];
    row.querySelector("input").checked = !hidden.has(slug);
    [0, 1, steps, STEPS].forEach((s, i) => row.cells[i + 1].textContent = digits(losses[s]));
  }
  $("now").textContent = steps;
  for (const id of SLIDERS) $(id + "-out").value = value(id).toFixed(+$(id).dataset.decimals);
  $("add").disabled = points.length === MOST;
  $("remove").disabled = !chosen || points.length === 1;
  $("link").href = address();
  clearTimeout(saving); // browsers allow few changes of the address per second
  saving = setTimeout(() => history.replaceState(null, "", address()), 300);
}

function drawPoints() {
  for (const node of [...$("points").children]) {
    if (!points.some(p => p.node === node)) node.remove();
  }
  points.forEach((p, i) => {
    p.node ||= $("points").appendChild(document.createElementNS($("fit").namespaceURI, "circle"));
    const marks = {
      cx: fit.x(p.x), cy: fit.y(p.y), r: 7, tabindex: 0, role: "slider",
      class: (p.on ? "on" : "off") + (p === chosen ? " chosen" : ""),
      "aria-label": `point ${i + 1} of ${points.length}`, "aria-valuenow": p.y,
      "aria-valuemin": -LIMIT.y, "aria-valuemax": LIMIT.y,
      "aria-valuetext": `x ${p.x.toFixed(2)}, y ${p.y.toFixed(2)}${p.on ? ", on the wave" : ""}`,
    };
    for (const [name, mark] of Object.entries(marks)) p.node.setAttribute(name, mark);
  });
}

// 5. Mouse, touch and keys

let held = null, pressed = null; // the point that is dragged; where an empty place was pressed

function choose(point) {
  chosen = point;
  drawPoints();
  point.node.focus({ preventScroll: true });
}

function add(x, y) {
  if (points.length === MOST) return;
  points.push(newPoint(x, y));
  choose(points.at(-1));
  redraw();
}

function remove(point) {
  if (points.length === 1) return;
  const i = points.indexOf(point);
  points.splice(i, 1);
  chosen = points[Math.min(i, points.length - 1)];
  redraw();
}

function move(point, x, y) {
  Object.assign(point, { ...newPoint(x, y), on: false });
  redraw();
}

function drop(point, near) { // back on the wave, if it is near
  point.on = Math.abs(point.y - wave(point.x)) < near;
  redraw();
}

function place(event) { // where the pointer is in the picture, in pixels and in x and y
  const { left, top } = $("fit").getBoundingClientRect();
  const px = event.clientX - left, py = event.clientY - top;
  const x = (px - fit.x(0)) / (fit.x(1) - fit.x(0)), y = (py - fit.y(0)) / (fit.y(1) - fit.y(0));
  return { px, py, x, y };
}

function pointAt(event, reach) {
  const { px, py } = place(event);
  const away = p => Math.hypot(fit.x(p.x) - px, fit.y(p.y) - py);
  const nearest = points.reduce((best, p) => away(p) < away(best) ? p : best);
  return away(nearest) < reach ? nearest : null;
}

const reach = event => event.pointerType === "mouse" ? 12 : 26; // a finger is wider

$("fit").addEventListener("pointerdown", event => {
  if (event.button || !event.isPrimary) return;
  held = pointAt(event, reach(event));
  pressed = held ? null : event;
  if (!held) return;
  event.preventDefault();
  choose(held);
});
// a finger on a point drags it; elsewhere it scrolls the page
$("fit").addEventListener("touchstart", event => {
  if (pointAt(event.touches[0], 26)) event.preventDefault();
}, { passive: false });
window.addEventListener("pointermove", event => {
  if (held) move(held, place(event).x, place(event).y);
});
window.addEventListener("pointerup", event => {
  const { x, y } = place(event);
  const still = pressed &&
    Math.hypot(event.clientX - pressed.clientX, event.clientY - pressed.clientY) < 6;
  if (held) drop(held, 0.25);
  else if (still && Math.abs(x) <= LIMIT.x && Math.abs(y) <= LIMIT.y) add(x, y);
  held = pressed = null;
});
window.addEventListener("pointercancel", () => held = pressed = null);

$("points").addEventListener("focusin", event => {
  chosen = points.find(p => p.node === event.target);
  redraw();
});
$("points").addEventListener("keydown", event => {
  const point = points.find(p => p.node === event.target), far = event.shiftKey ? 1 : 0.1;
  const ways = {
    ArrowLeft: [-far, 0], ArrowRight: [far, 0], ArrowUp: [0, far], ArrowDown: [0, -far],
  };
  if (event.key in ways) {
    const [dx, dy] = ways[event.key], { on } = point;
    move(point, point.x + dx, point.y + dy);
    if (on && dx) point.on = true; // it slides along the wave
    else drop(point, 0.05);
  } else if (event.key === "Delete" || event.key === "Backspace") {
    remove(point);
    chosen.node.focus();
  } else return;
  event.preventDefault();
});

for (const id of SLIDERS) $(id).addEventListener("input", redraw);
$("numbers").addEventListener("change", event => {
  const slug = event.target.closest("tr").id.slice("row-".length);
  if (!hidden.delete(slug)) hidden.add(slug);
  redraw();
});
$("add").onclick = () => { // on the wave, in the widest gap
  const xs = [-LIMIT.x, ...points.map(p => p.x).sort((a, b) => a - b), LIMIT.x];
  const gaps = xs.slice(1).map((x, i) => x - xs[i]), widest = gaps.indexOf(Math.max(...gaps));
  add(xs[widest] + gaps[widest] / 2);
};
$("remove").onclick = () => remove(chosen);
$("task").onclick = () => {
  $("amplitude").value = 0.1 + 4.9 * Math.random();
  $("phase").value = 2 * Math.PI * Math.random();
  points = EXAMPLE.map(() => newPoint(10 * Math.random() - 5));
  chosen = null;
  redraw();
};
let playing = 0;
$("play").onclick = () => {
  if (!playing) $("steps").value = 0;
  const timer = playing ? 0 : setInterval(() => {
    $("steps").value = value("steps") + 1;
    if (value("steps") === STEPS) $("play").click();
    redraw();
  }, 200);
  clearInterval(playing);
  playing = timer;
  $("play").textContent = playing ? "Stop" : "Play steps";
  redraw();
};

// 6. Proofs. When the page opens, its losses after 32 steps on the example are compared with those
// that tinymeta computed when the page was made; with #selftest, the page operates itself.

// Return a number as 2e−12, with a minus sign, after which no line is broken.
const inShort = number => number.toExponential(0).replace("-", "−");

function proof() {
  const example = EXAMPLE.map(p => ({ x: p.x, y: 3 * Math.sin(p.x + 1) }));
  const here = learn(example, 3, 1, 0.01), off = {};
  for (const { cells: [name, tinymeta, page, difference] } of $("proof").tBodies[0].rows) {
    const loss = here[name.textContent].losses[STEPS], theirs = tinymeta.textContent;
    const digits = theirs.replace(/^[0.]+|[.]/g, "").length;
    page.textContent = loss.toPrecision(digits);
    off[name.textContent] = Math.abs(loss / theirs - 1);
    difference.textContent = inShort(off[name.textContent]);
  }
  const { "ridge head": solved, ...stepped } = off, most = Math.max(...Object.values(stepped));
  const right = most < 1e-11 && solved < 1e-8; // false if one of them is not a number
  $("checked").className = right ? "right" : "wrong";
  $("checked").textContent =
    `${right ? "Checked" : "WRONG"}, in this browser, just now: after ${STEPS} steps, the losses ` +
    `of this page are at most ${inShort(most)} off tinymeta's (written here in 12 ` +
    `digits), and the ridge head's ${inShort(solved)} (in 9).` +
    (right ? "" : " Do not believe its curves.");
  return off;
}

function selfTest() {
  const seen = {}, report = { off: proof(), checked: $("checked").textContent, seen };
  const see = name => {
    update();
    const losses = Object.entries(learned).map(([n, l]) => [n, l.losses]);
    seen[name] = { address: address(), losses: Object.fromEntries(losses) };
  };
  const pointer = (pointerType, type, x, y) => {
    const { left, top } = $("fit").getBoundingClientRect();
    const clientX = left + fit.x(x), clientY = top + fit.y(y);
    $("fit").dispatchEvent(new PointerEvent("pointer" + type,
      { clientX, clientY, pointerType, bubbles: true, isPrimary: true }));
  };
  const key = name => document.activeElement.dispatchEvent(
    new KeyboardEvent("keydown", { key: name, bubbles: true, cancelable: true }));

  see("opened");
  pointer("touch", "down", points[3].x, points[3].y);
  pointer("touch", "move", 1, 1);
  pointer("touch", "move", 0.5, -4);
  pointer("touch", "up", 0.5, -4);
  see("dragged");
  pointer("mouse", "down", 4.5, 5);
  pointer("mouse", "up", 4.5, 5);
  see("added");
  key("ArrowUp");
  key("ArrowLeft");
  see("moved by keys");
  key("Delete");
  see("removed");
  $("add").click();
  see("added by the button");
  key("ArrowRight");
  see("moved along the wave");
  $("remove").click();
  see("removed by the button");
  $("steps").value = 20;
  $("rate").value = 0.02;
  $("row-joint").querySelector("input").click();
  see("other settings");
  readAddress("");
  see("as it was at first");
  readAddress(seen["other settings"].address);
  see("read from the address");
  report.text = [...$("numbers").rows].map(row => [...row.cells].map(c => c.textContent.trim()));
  report.curves = $("curves").children.length;
  document.querySelector("details").open = true;
  report.width = window.innerWidth;
  report.wider = document.documentElement.scrollWidth - document.documentElement.clientWidth;
  const times = Array.from({ length: 9 }, () => {
    const start = performance.now();
    update();
    return performance.now() - start;
  });
  report.milliseconds = times.sort((a, b) => a - b)[4];
  document.body.textContent = JSON.stringify(report);
  window.parent.postMessage(document.body.textContent, "*"); // to a page that has this in a frame
}

if (window.self !== window.top) document.documentElement.classList.add("embedded");
readAddress(location.hash);
layOut();
if (location.hash.startsWith("#selftest")) selfTest();
else {
  update();
  proof();
  new ResizeObserver(layOut).observe($("fit"));
  window.addEventListener("hashchange", () => {
    readAddress(location.hash);
    redraw();
    $("fit").scrollIntoView({ block: "nearest" });
  });
}
