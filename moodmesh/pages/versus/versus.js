// Two models side by side on the same face. Rows are made once and only their widths change.

function build(list, labels) {
  list.replaceChildren(
    ...labels.map(({ label, colour }) => {
      const row = document.createElement("li");
      row.style.setProperty("--mm-bar", colour);
      const name = document.createElement("b");
      name.textContent = name.title = label;
      const track = document.createElement("span");
      track.append(document.createElement("i"));
      row.append(name, track, document.createElement("em"));
      return row;
    }),
  );
}

export default function ({ parentElement, data }) {
  const part = (name) => parentElement.querySelector(`[data-part="${name}"]`);
  for (const side of ["left", "right"]) {
    const { title, says, labels } = data[side];
    part(`${side}-title`).textContent = title;
    part(`${side}-says`).textContent = says;
    const list = part(side);
    const kind = labels.map((row) => row.label).join("\n");
    if (list.dataset.kind !== kind) {
      build(list, labels);
      list.dataset.kind = kind;
    }
    labels.forEach(({ percent }, index) => {
      const row = list.children[index];
      row.querySelector("i").style.transform = `scaleX(${percent / 100})`;
      row.querySelector("em").textContent = `${percent}`;
    });
  }
}
