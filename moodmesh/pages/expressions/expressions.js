// The expression bars. Rows are made once for a set of labels and only their widths and numbers
// change after that, so nothing reorders or jumps while somebody looks.

function build(list, labels) {
  list.replaceChildren(
    ...labels.map(({ label, shape, colour }) => {
      const row = document.createElement("li");
      row.style.setProperty("--mm-bar", colour);
      const name = document.createElement("b");
      const mark = document.createElement("i");
      mark.textContent = shape;
      mark.setAttribute("aria-hidden", "true");
      name.append(mark, label);
      name.title = label;
      const track = document.createElement("span");
      track.className = "mm-track";
      const fill = document.createElement("span");
      fill.className = "mm-fill";
      track.append(fill);
      row.append(name, track, document.createElement("em"));
      return row;
    }),
  );
}

export default function (component) {
  const { parentElement, data } = component;
  const part = (name) => parentElement.querySelector(`[data-part="${name}"]`);
  const root = parentElement.querySelector(".mm-look");
  const list = part("bars");

  const kind = data.labels.map((row) => row.label).join("\n");
  if (list.dataset.kind !== kind) {
    build(list, data.labels);
    list.dataset.kind = kind;
  }
  const top = [...data.labels].sort((a, b) => b.percent - a.percent).slice(0, 2);
  data.labels.forEach((row, index) => {
    const item = list.children[index];
    item.dataset.label = row.label;
    item.dataset.percent = row.percent;
    item.dataset.top = top.includes(row);
    item.querySelector(".mm-fill").style.transform = `scaleX(${row.percent / 100})`;
    item.querySelector("em").textContent = data.state === "waiting" ? "" : `${row.percent}`;
  });

  root.dataset.state = data.state;
  root.dataset.mood = data.mood ?? "";
  root.style.setProperty("--mm-tone", data.colour);
  // The shell paints a soft glow of this colour behind the page.
  document.documentElement.style.setProperty("--mm-glow", data.colour);
  for (const name of ["shape", "sentence", "source", "hint"]) {
    const element = part(name);
    if (element.textContent !== data[name]) element.textContent = data[name];
  }
  parentElement.querySelector(".mm-look-line").onclick = () => {
    list.dataset.open = list.dataset.open !== "true";
  };
}
