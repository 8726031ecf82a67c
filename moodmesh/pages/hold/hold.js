// A button that tells when it is pressed and when it is let go, by pointer, touch or keyboard.
// The page redraws it while it is held, so what happens is kept on the element itself.

export default function ({ parentElement, data, setTriggerValue }) {
  const button = parentElement.querySelector('[data-part="hold"]');
  parentElement.querySelector('[data-part="text"]').textContent = data.text;
  button.disabled = data.disabled && button.dataset.held !== "true";
  button.title = data.help;

  const tell = (held) => {
    if ((button.dataset.held === "true") === held) return;
    button.dataset.held = held;
    button.setAttribute("aria-pressed", held);
    setTriggerValue("held", held ? "pressed" : "let go");
  };
  button.onpointerdown = (event) => {
    if (event.button !== 0) return;
    button.setPointerCapture(event.pointerId);
    tell(true);
  };
  button.onpointerup = button.onpointercancel = button.onlostpointercapture = () => tell(false);
  button.oncontextmenu = (event) => event.preventDefault(); // a long touch asks for a menu
  button.onkeydown = (event) => {
    if (event.key !== " " && event.key !== "Enter") return;
    event.preventDefault();
    if (!event.repeat) tell(true);
  };
  button.onkeyup = (event) => {
    if (event.key === " " || event.key === "Enter") tell(false);
  };
  button.onblur = () => tell(false);
}
