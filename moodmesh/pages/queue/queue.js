// Says who is ahead while all of this machine's places for a live camera are taken.

export default function ({ parentElement, data }) {
  for (const name of ["title", "text"]) {
    const part = parentElement.querySelector(`[data-part="${name}"]`);
    if (part.textContent !== data[name]) part.textContent = data[name];
  }
}
