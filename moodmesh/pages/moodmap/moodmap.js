// The mood map. Places are ranks on [0, 1]: valence across, energy up. Python sends where the
// listener and the songs are; a click, drag or key says where the music should go.

const TRAIL_POINTS = 40;
const TRAIL_STEP = 0.008; // movements smaller than this are trembling
const KEY_STEP = 0.05;
const KEY_PAUSE_MS = 800; // after the last arrow key the music follows without Enter
const STOP_GAP = 26; // pixels between the middles of two numbers
const YOU_GAP = 36; // and between a number's and the listener's
const MARGIN = 0.05; // of the plane, so that a song at the edge is whole
const SVG = "http://www.w3.org/2000/svg";

// The colours of the four corners, mixed by where a point lies.
const CORNERS = { ne: [226, 158, 0], nw: [229, 72, 77], sw: [76, 125, 240], se: [63, 163, 77] };

function words(v, e) {
  const sound = [
    ["slow and tender", "soft and calm", "gentle and sweet"],
    ["wistful", "easy-going", "warm and sunny"],
    ["fierce", "driving", "bright and lively"],
  ];
  const third = (rank) => Math.min(2, Math.floor(3 * rank));
  return sound[third(e)][third(v)];
}

class MoodMap {
  constructor(root, send) {
    this.root = root;
    this.send = send;
    this.client = Math.random().toString(36).slice(2, 12);
    this.number = 0;
    this.trail = [];
    this.data = { cloud: [], stops: [] };
    this.target = null; // where the hand or the keys are, before the music follows
    this.part = {};
    for (const node of root.querySelectorAll("[data-part]")) this.part[node.dataset.part] = node;
    this.listen();
    this.watcher = new ResizeObserver(() => this.draw());
    this.watcher.observe(this.part.plane);
  }

  update(data, send) {
    this.send = send;
    this.data = data;
    const you = data.you;
    const last = this.trail[this.trail.length - 1];
    if (you && (!last || Math.hypot(you[0] - last[0], you[1] - last[1]) > TRAIL_STEP)) {
      this.trail.push(you);
      this.trail = this.trail.slice(-TRAIL_POINTS);
    }
    this.root.style.setProperty("--mm-you", data.colour);
    this.draw();
  }

  at([v, e]) {
    const inside = (rank) => MARGIN + (1 - 2 * MARGIN) * rank;
    return [inside(v), 1 - inside(e)];
  }

  place(node, point) {
    const [x, y] = this.at(point);
    node.style.left = `${100 * x}%`;
    node.style.top = `${100 * y}%`;
  }

  // ---- drawing ------------------------------------------------------------------------------

  draw() {
    const { part, data } = this;
    part.you.hidden = !data.you;
    if (data.you) this.place(part.you, data.you);
    const target = this.target || data.steering;
    part.target.hidden = !target;
    if (target) this.place(part.target, target);
    part.release.hidden = !data.steering;
    const spots = this.spread();
    this.drawCloud();
    this.drawLines(spots);
    this.drawStops(spots);
    if (!this.target) this.say(data.said || "");
  }

  say(text) {
    if (this.part.said.textContent !== text) this.part.said.textContent = text;
  }

  // Where the numbers stand, in pixels: at their songs, moved a little where they would hide each
  // other or the listener.
  spread() {
    const { clientWidth: width, clientHeight: height } = this.part.plane;
    const pixels = (point) => {
      const [x, y] = this.at(point);
      return [x * width, y * height];
    };
    const spots = this.data.stops.map((stop) => pixels([stop.v, stop.e]));
    const still = this.data.you ? [pixels(this.data.you)] : [];
    for (let round = 0; round < 12; round += 1) {
      for (let i = 0; i < spots.length; i += 1) {
        for (const other of [...spots.slice(0, i), ...still]) {
          const way = [spots[i][0] - other[0], spots[i][1] - other[1]];
          const far = Math.hypot(...way);
          const gap = still.includes(other) ? YOU_GAP : STOP_GAP;
          if (far >= gap) continue;
          // Two songs on one spot part at an angle of their own, the same every time.
          const along = far > 0.5 ? way.map((part) => part / far) : [Math.cos(i), Math.sin(i)];
          const push = (gap - far) / (still.includes(other) ? 1 : 2);
          for (const axis of [0, 1]) {
            spots[i][axis] += push * along[axis];
            if (!still.includes(other)) other[axis] -= push * along[axis];
          }
        }
      }
    }
    return spots.map(([x, y]) => [
      Math.max(14, Math.min(width - 14, x)),
      Math.max(14, Math.min(height - 14, y)),
    ]);
  }

  drawCloud() {
    const { cloud, plane } = this.part;
    const width = plane.clientWidth;
    const height = plane.clientHeight;
    const scale = window.devicePixelRatio || 1;
    const colour = getComputedStyle(this.root).color;
    const key = [width, height, scale, colour, this.data.cloud.length, this.data.cloud[0]].join();
    if (!width || key === this.cloudKey) return;
    this.cloudKey = key;
    cloud.width = Math.round(width * scale);
    cloud.height = Math.round(height * scale);
    const pen = cloud.getContext("2d");
    pen.scale(scale, scale);
    const points = this.data.cloud;
    const radius = Math.max(2, width / 160);
    for (let i = 0; i + 1 < points.length; i += 2) {
      const v = points[i] / 1000;
      const e = points[i + 1] / 1000;
      const [x, y] = this.at([v, e]);
      const mix = [0, 1, 2].map((part) =>
        Math.round(
          e * (v * CORNERS.ne[part] + (1 - v) * CORNERS.nw[part]) +
            (1 - e) * (v * CORNERS.se[part] + (1 - v) * CORNERS.sw[part]),
        ),
      );
      const [left, top, reach] = [x * width, y * height, 4 * radius];
      const glow = pen.createRadialGradient(left, top, 0, left, top, reach);
      glow.addColorStop(0, `rgba(${mix}, 0.3)`);
      glow.addColorStop(0.22, `rgba(${mix}, 0.16)`);
      glow.addColorStop(1, `rgba(${mix}, 0)`);
      pen.fillStyle = glow;
      pen.fillRect(left - reach, top - reach, 2 * reach, 2 * reach);
    }
  }

  drawLines(stops) {
    const { lines, plane } = this.part;
    const width = plane.clientWidth;
    const height = plane.clientHeight;
    lines.setAttribute("viewBox", `0 0 ${width} ${height}`);
    const spot = (point) => {
      const [x, y] = this.at(point);
      return [x * width, y * height];
    };
    const nodes = [];
    const trail = this.trail.map(spot);
    for (let i = 1; i < trail.length; i += 1) {
      const line = document.createElementNS(SVG, "line");
      line.setAttribute("class", "mm-map-trail");
      const ends = { x1: trail[i - 1][0], y1: trail[i - 1][1], x2: trail[i][0], y2: trail[i][1] };
      for (const [name, value] of Object.entries(ends)) line.setAttribute(name, value.toFixed(1));
      line.setAttribute("opacity", ((0.5 * i) / trail.length).toFixed(2));
      nodes.push(line);
    }
    if (stops.length > 1) {
      const path = document.createElementNS(SVG, "path");
      path.setAttribute("class", "mm-map-path");
      let d = `M${stops[0].map((n) => n.toFixed(1)).join(" ")}`;
      for (let i = 1; i < stops.length; i += 1) {
        // Catmull-Rom through the songs, as Bezier pieces.
        const [p0, p1, p2, p3] = [-2, -1, 0, 1].map(
          (step) => stops[Math.max(0, Math.min(stops.length - 1, i + step))],
        );
        const one = [0, 1].map((k) => p1[k] + (p2[k] - p0[k]) / 6);
        const two = [0, 1].map((k) => p2[k] - (p3[k] - p1[k]) / 6);
        d += ` C${[...one, ...two, ...p2].map((n) => n.toFixed(1)).join(" ")}`;
      }
      path.setAttribute("d", d);
      nodes.push(path);
    }
    lines.replaceChildren(...nodes);
  }

  drawStops(spots) {
    const { stops } = this.part;
    const known = new Map([...stops.children].map((node) => [node.dataset.song, node]));
    const wanted = this.data.stops.map((stop, i) => {
      const node = known.get(stop.id) || document.createElement("span");
      node.className = "mm-map-stop";
      node.dataset.song = stop.id;
      node.dataset.now = stop.now ? "yes" : "no";
      node.textContent = stop.now ? "♪" : String(stop.number);
      node.style.left = `${spots[i][0].toFixed(1)}px`;
      node.style.top = `${spots[i][1].toFixed(1)}px`;
      return node;
    });
    stops.replaceChildren(...wanted);
  }

  // ---- steering -----------------------------------------------------------------------------

  listen() {
    const { plane, release, tip } = this.part;
    const pointAt = (event) => {
      const box = plane.getBoundingClientRect();
      const rank = (share) => Math.max(0, Math.min(1, (share - MARGIN) / (1 - 2 * MARGIN)));
      return [
        rank((event.clientX - box.left) / box.width),
        rank(1 - (event.clientY - box.top) / box.height),
      ];
    };
    plane.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      plane.setPointerCapture(event.pointerId);
      this.dragging = true;
      tip.hidden = true;
      this.aim(pointAt(event));
    });
    plane.addEventListener("pointermove", (event) => {
      if (this.dragging) this.aim(pointAt(event));
      else this.showTip(event);
    });
    plane.addEventListener("pointerup", (event) => {
      if (!this.dragging) return;
      this.dragging = false;
      this.aim(pointAt(event));
      this.steer();
    });
    plane.addEventListener("pointercancel", () => {
      this.dragging = false;
      this.target = null;
      this.draw();
    });
    plane.addEventListener("pointerleave", () => {
      tip.hidden = true;
    });
    plane.addEventListener("keydown", (event) => {
      const step = event.shiftKey ? KEY_STEP / 5 : KEY_STEP;
      const moves = {
        ArrowRight: [step, 0],
        ArrowLeft: [-step, 0],
        ArrowUp: [0, step],
        ArrowDown: [0, -step],
      };
      const move = moves[event.key];
      if (move) {
        event.preventDefault();
        const from = this.target || this.data.steering || this.data.you || [0.5, 0.5];
        this.aim(from.map((rank, axis) => Math.max(0, Math.min(1, rank + move[axis]))));
        window.clearTimeout(this.timer);
        this.timer = window.setTimeout(() => this.steer(), KEY_PAUSE_MS);
      } else if ((event.key === "Enter" || event.key === " ") && this.target) {
        event.preventDefault();
        this.steer();
      } else if (event.key === "Escape") {
        this.letGo();
      }
    });
    release.addEventListener("click", () => this.letGo());
  }

  aim(point) {
    this.target = point;
    this.part.target.hidden = false;
    this.place(this.part.target, point);
    this.say(`Taking the music to: ${words(...point)}`);
  }

  steer() {
    window.clearTimeout(this.timer);
    if (!this.target) return;
    const [v, e] = this.target;
    this.data = { ...this.data, steering: this.target };
    this.target = null;
    this.tell({ kind: "steer", valence: v, energy: e });
    this.draw();
    this.say(`The music goes to: ${words(v, e)}`);
  }

  letGo() {
    window.clearTimeout(this.timer);
    const had = this.data.steering;
    this.target = null;
    this.data = { ...this.data, steering: null };
    if (had) this.tell({ kind: "release" });
    this.draw();
  }

  tell(what) {
    this.number += 1;
    this.send("hand", { client: this.client, number: this.number, ...what });
  }

  showTip(event) {
    const { tip, plane } = this.part;
    const box = plane.getBoundingClientRect();
    const x0 = event.clientX - box.left;
    const y0 = event.clientY - box.top;
    const spots = this.spread();
    const which = spots.findIndex(([left, top]) => Math.hypot(left - x0, top - y0) < 16);
    const near = this.data.stops[which];
    tip.hidden = !near;
    if (!near) return;
    tip.querySelector("b").textContent = near.title;
    tip.querySelector("i").textContent = near.artist;
    const [x, y] = [spots[which][0] / box.width, spots[which][1] / box.height];
    tip.style[x > 0.5 ? "right" : "left"] = `${100 * (x > 0.5 ? 1 - x : x)}%`;
    tip.style[x > 0.5 ? "left" : "right"] = "auto";
    tip.style.top = y > 0.75 ? "auto" : `calc(${100 * y}% + 20px)`;
    tip.style.bottom = y > 0.75 ? `calc(${100 * (1 - y)}% + 20px)` : "auto";
  }

  close() {
    window.clearTimeout(this.timer);
    this.watcher.disconnect();
  }
}

export default function (component) {
  const { parentElement, data, setStateValue } = component;
  const root = parentElement.querySelector(".mm-map");
  lastingPart(root, () => new MoodMap(root, setStateValue)).update(data, setStateValue);
  return cleanup(root);
}
