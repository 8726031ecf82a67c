// The landmark map: a face's mesh whose points say their number, their place and what they tell.

const UNIT = 1000;
const FIRST_POINT = 61; // a corner of the mouth: it says the most
const NEAR = 28; // pixels from which a pointer takes a point
const LEAST_SHIFT = 0.006; // eye distances: less is the landmarker's trembling
const ALL = -1;

function numbers(text) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  return new Int16Array(bytes.buffer);
}

function percent(share) {
  return `${Math.round(100 * share)}%`;
}

class LandmarkMap {
  constructor(root) {
    this.root = root;
    this.plane = root.querySelector(".mm-points-plane");
    this.canvas = root.querySelector("canvas");
    this.input = root.querySelector("input");
    this.said = root.querySelector(".mm-points-said");
    this.point = FIRST_POINT;
    this.label = ALL;
    this.watcher = new ResizeObserver(() => this.draw());
    this.watcher.observe(this.plane);
    this.listen();
  }

  part(name) {
    return this.root.querySelector(`[data-part="${name}"]`);
  }

  update(data) {
    const kind = data.labels.map((one) => one.label).join();
    this.data = data;
    this.pixels = data.pixels ? numbers(data.pixels) : null;
    for (const name of ["drawn", "places", "shares", "shifts", "mean", "mesh", "lines"]) {
      this[name] = numbers(data[name]);
    }
    if (this.kind !== kind) {
      this.kind = kind;
      this.label = ALL;
      this.most = data.labels.map((_, label) => {
        let most = 0;
        for (let point = 0; point < this.count(); point += 1) most = Math.max(most, this.share(point, label));
        return most;
      });
      this.build();
    }
    this.draw();
    this.tell();
  }

  count() {
    return this.drawn.length / 2;
  }

  share(point, label) {
    return this.shares[point * this.data.labels.length + label] / UNIT;
  }

  strongest(label) {
    let best = 0;
    for (let point = 0; point < this.count(); point += 1) {
      if (this.share(point, label) > this.share(best, label)) best = point;
    }
    return best;
  }

  // ---- buttons and bars -----------------------------------------------------------------------

  build() {
    const choices = [{ label: "all", shape: "" }, ...this.data.labels];
    const buttons = choices.map((one, index) => {
      const button = document.createElement("button");
      button.type = "button";
      if (one.colour) button.style.setProperty("--mm-tone", one.colour);
      const shape = document.createElement("i");
      shape.textContent = one.shape;
      shape.setAttribute("aria-hidden", "true");
      button.append(...(one.shape ? [shape] : []), one.label);
      button.onclick = () => {
        this.label = index - 1;
        if (this.label !== ALL) this.point = this.strongest(this.label);
        this.press();
        this.draw();
        this.tell();
        this.speak();
      };
      return button;
    });
    this.root.querySelector(".mm-points-labels").replaceChildren(...buttons);
    const bars = this.data.labels.map((one) => {
      const bar = document.createElement("li");
      bar.style.setProperty("--mm-tone", one.colour);
      bar.innerHTML = "<span><i aria-hidden='true'></i></span><u></u><b></b>";
      bar.querySelector("i").textContent = one.shape;
      bar.querySelector("span").append(one.label);
      return bar;
    });
    this.part("bars").replaceChildren(...bars);
    this.press();
  }

  press() {
    this.root.querySelectorAll(".mm-points-labels button").forEach((button, index) => {
      button.setAttribute("aria-pressed", String(index - 1 === this.label));
    });
  }

  // The expression shown: the chosen one, or the one this point tells the most of.
  told(point) {
    if (this.label !== ALL) return this.label;
    let best = 0;
    this.data.labels.forEach((_, label) => {
      if (this.share(point, label) > this.share(point, best)) best = label;
    });
    return best;
  }

  // ---- words ----------------------------------------------------------------------------------

  where(point) {
    const part = this.data.part[point];
    if (part >= 0) return this.data.parts[part];
    let nearest = -1;
    let distance = Infinity;
    for (let other = 0; other < this.count(); other += 1) {
      if (this.data.part[other] < 0) continue;
      const d = Math.hypot(this.mean[2 * other] - this.mean[2 * point], this.mean[2 * other + 1] - this.mean[2 * point + 1]);
      if (d < distance) [nearest, distance] = [other, d];
    }
    return `near the ${this.data.parts[this.data.part[nearest]]}`;
  }

  moves(point) {
    const label = this.told(point);
    const name = this.data.labels[label].label;
    const at = 2 * (point * this.data.labels.length + label);
    const [x, y] = [this.shifts[at] / UNIT, this.shifts[at + 1] / UNIT];
    const ways = [];
    if (Math.abs(y) > LEAST_SHIFT && Math.abs(y) > Math.abs(x) / 3) ways.push(y < 0 ? "up" : "down");
    const side = this.mean[2 * point] / UNIT;
    if (Math.abs(x) > LEAST_SHIFT && Math.abs(x) > Math.abs(y) / 3 && Math.abs(side) > 0.03) {
      ways.push(Math.sign(x) === Math.sign(side) ? "outwards" : "inwards");
    }
    const share = percent(this.share(point, label));
    const goes = ways.length ? ` It goes ${ways.join(" and ")} as the model reads more of it.` : "";
    return `${share} of what the model says for ‘${name}’ can be told from this point alone.${goes}`;
  }

  tell() {
    const point = this.point;
    const place = [0, 1, 2].map((axis) => (this.places[3 * point + axis] / UNIT).toFixed(2).replace("-", "−"));
    const lines = [`x ${place[0]}  y ${place[1]}  z ${place[2]} eye distances`];
    if (this.pixels) {
      lines.push(`at ${Math.round(this.pixels[2 * point] / 10)}, ${Math.round(this.pixels[2 * point + 1] / 10)} in the picture`);
    }
    if (document.activeElement !== this.input) this.input.value = String(point);
    this.part("where").textContent = this.where(point);
    this.part("place").textContent = lines.join("\n");
    this.part("moves").textContent = this.moves(point);
    this.part("bars").querySelectorAll("li").forEach((bar, label) => {
      const share = this.share(point, label);
      bar.style.setProperty("--mm-share", (100 * share).toFixed(1));
      bar.querySelector("b").textContent = percent(share);
    });
  }

  speak() {
    this.said.textContent = `Point ${this.point}, ${this.where(this.point)}. ${this.moves(this.point)}`;
  }

  choose(point) {
    if (point === this.point) return;
    this.point = point;
    this.draw();
    this.tell();
  }

  // ---- drawing --------------------------------------------------------------------------------

  spot(point) {
    const { width, height } = this.box;
    const side = Math.min(width, height);
    return [
      (width - side) / 2 + (side * this.drawn[2 * point]) / UNIT,
      (height - side) / 2 + (side * this.drawn[2 * point + 1]) / UNIT,
    ];
  }

  draw() {
    if (!this.data) return;
    const ratio = window.devicePixelRatio || 1;
    this.box = { width: this.plane.clientWidth, height: this.plane.clientHeight };
    this.canvas.width = this.box.width * ratio;
    this.canvas.height = this.box.height * ratio;
    const pen = this.canvas.getContext("2d");
    pen.scale(ratio, ratio);
    const ink = getComputedStyle(this.root).color;
    this.strokes(pen, this.mesh, ink, 0.1);
    this.strokes(pen, this.lines, ink, 0.4);
    for (let point = 0; point < this.count(); point += 1) {
      const label = this.told(point);
      const strength = this.share(point, label) / Math.max(0.01, this.most[label]);
      const [x, y] = this.spot(point);
      pen.globalAlpha = 0.2 + 0.8 * strength;
      pen.fillStyle = strength > 0.15 ? this.data.labels[label].colour : ink;
      pen.beginPath();
      pen.arc(x, y, 1.2 + 4 * strength ** 1.5, 0, 2 * Math.PI);
      pen.fill();
    }
    const [x, y] = this.spot(this.point);
    pen.globalAlpha = 1;
    pen.strokeStyle = ink;
    pen.lineWidth = 2;
    pen.beginPath();
    pen.arc(x, y, 9, 0, 2 * Math.PI);
    pen.stroke();
  }

  strokes(pen, edges, ink, alpha) {
    pen.globalAlpha = alpha;
    pen.strokeStyle = ink;
    pen.lineWidth = 1;
    pen.beginPath();
    for (let edge = 0; edge < edges.length; edge += 2) {
      pen.moveTo(...this.spot(edges[edge]));
      pen.lineTo(...this.spot(edges[edge + 1]));
    }
    pen.stroke();
  }

  // ---- pointer and keys -----------------------------------------------------------------------

  nearest(x, y) {
    let best = -1;
    let distance = NEAR;
    for (let point = 0; point < this.count(); point += 1) {
      const [left, top] = this.spot(point);
      const d = Math.hypot(left - x, top - y);
      if (d < distance) [best, distance] = [point, d];
    }
    return best;
  }

  // The nearest point in this direction, counting sideways distance double.
  towards(dx, dy) {
    const [x0, y0] = this.spot(this.point);
    let best = this.point;
    let least = Infinity;
    for (let point = 0; point < this.count(); point += 1) {
      const [x, y] = this.spot(point);
      const along = (x - x0) * dx + (y - y0) * dy;
      const aside = Math.abs((x - x0) * dy - (y - y0) * dx);
      if (along <= 0.5 || aside > along) continue;
      const cost = along + 2 * aside;
      if (cost < least) [best, least] = [point, cost];
    }
    return best;
  }

  listen() {
    const under = (event) => {
      const box = this.plane.getBoundingClientRect();
      const point = this.nearest(event.clientX - box.left, event.clientY - box.top);
      if (point >= 0) this.choose(point);
    };
    this.plane.addEventListener("pointermove", under);
    this.plane.addEventListener("pointerdown", under);
    this.plane.addEventListener("pointerup", () => this.speak());
    this.plane.addEventListener("keydown", (event) => {
      const ways = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
      const way = ways[event.key];
      if (!way) return;
      event.preventDefault();
      this.choose(this.towards(...way));
      this.speak();
    });
    this.input.addEventListener("input", () => {
      const point = Number.parseInt(this.input.value, 10);
      if (point >= 0 && point < this.count()) {
        this.choose(point);
        this.speak();
      }
    });
    this.input.addEventListener("blur", () => {
      this.input.value = String(this.point);
    });
  }

  close() {
    this.watcher.disconnect();
  }
}

export default function (component) {
  const { parentElement, data } = component;
  const root = parentElement.querySelector(".mm-points");
  lastingPart(root, () => new LandmarkMap(root)).update(data);
  return cleanup(root);
}
