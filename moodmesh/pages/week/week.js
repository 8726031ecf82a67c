// A week as seven small days. Python sends each day's stretches and songs as shares of the day; a
// press on a day says which one to look at.

function stretch({ from, to, colour }) {
  const node = document.createElement("i");
  node.style.top = `${100 * from}%`;
  node.style.height = `${100 * (to - from)}%`;
  node.style.background = colour;
  return node;
}

function song(at) {
  const node = document.createElement("u");
  node.style.top = `${100 * at}%`;
  return node;
}

function words(text, tag) {
  const node = document.createElement(tag);
  node.textContent = text;
  return node;
}

export default function ({ parentElement, data, setTriggerValue }) {
  const days = data.days.map((day) => {
    const button = document.createElement("button");
    button.type = "button";
    button.disabled = day.empty;
    button.setAttribute("aria-pressed", String(day.chosen));
    button.setAttribute("aria-label", day.spoken);
    const band = document.createElement("span");
    band.className = "mm-week-band";
    band.style.display = "block";
    band.append(...day.moods.map(stretch), ...day.songs.map(song));
    button.append(words(day.name, "b"), words(day.date, "em"), band, words(day.count, "em"));
    button.addEventListener("click", () => setTriggerValue("day", day.iso));
    return button;
  });
  parentElement.querySelector('[data-part="days"]').replaceChildren(...days);
}
