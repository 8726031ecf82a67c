// Takes as small moving meshes: all that was kept of them are points, so points are what is shown.

const FRAMES_PER_SECOND = 6;
const still = matchMedia("(prefers-reduced-motion: reduce)");

function draw(canvas, frame, edges, colour) {
  const ratio = devicePixelRatio || 1;
  canvas.width = 72 * ratio;
  canvas.height = 88 * ratio;
  const pen = canvas.getContext("2d");
  pen.scale(ratio, ratio);
  pen.strokeStyle = colour;
  pen.lineWidth = 1;
  pen.beginPath();
  for (const [from, to] of edges) {
    if (frame[2 * from] === null || frame[2 * to] === null) continue; // a part that was not seen
    pen.moveTo(frame[2 * from], frame[2 * from + 1]);
    pen.lineTo(frame[2 * to], frame[2 * to + 1]);
  }
  pen.stroke();
}

function card(take, data, remove) {
  const item = document.createElement("li");
  item.dataset.take = take.id;
  const canvas = document.createElement("canvas");
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", `${data.label}, ${take.samples} samples`);
  const button = document.createElement("button");
  button.type = "button";
  button.title = "Delete this take";
  button.setAttribute("aria-label", `Delete this take of ${data.label}`);
  button.innerHTML = "<span aria-hidden='true'>✕</span>";
  button.onclick = () => remove(take.id);
  item.append(canvas, button);
  return item;
}

class Strip {
  constructor(list) {
    this.list = list;
    this.number = 0;
    if (!still.matches) this.timer = setInterval(() => this.show(), 1000 / FRAMES_PER_SECOND);
  }

  update(data, tell) {
    this.data = data;
    this.tell = tell;
    this.list.style.setProperty("--mm-tone", data.colour);
    const kind = data.takes.map((take) => take.id).join() + data.missing;
    if (this.list.dataset.kind !== kind) {
      this.list.dataset.kind = kind;
      const places = Array.from({ length: data.missing }, () => {
        const place = document.createElement("li");
        place.className = "mm-missing";
        return place;
      });
      const remove = (id) => this.tell("removed", id);
      this.list.replaceChildren(...data.takes.map((take) => card(take, data, remove)), ...places);
    }
    this.show();
  }

  show() {
    const { takes, edges, colour } = this.data;
    const canvases = this.list.querySelectorAll("canvas");
    takes.forEach(({ frames, kind }, index) => {
      draw(canvases[index], frames[this.number % frames.length], edges[kind], colour);
    });
    this.number += 1;
  }

  close() {
    clearInterval(this.timer);
  }
}

export default function (component) {
  const { parentElement, data, setTriggerValue } = component;
  const list = parentElement.querySelector('[data-part="takes"]');
  lastingPart(list, () => new Strip(list)).update(data, setTriggerValue);
  return cleanup(list);
}
