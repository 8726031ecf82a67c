// The camera check before the stream: asks for the camera once and says in plain words what is
// wrong. The WebRTC component would show the browser's own error name instead.

const PROBLEMS = {
  NotAllowedError:
    "The camera is blocked for this page. Click the camera or lock sign beside the address, allow the camera, then press 'Turn on camera' again.",
  NotFoundError:
    "I could not find a camera. Plug one in, then press 'Turn on camera' again. Or use a photo.",
  NotReadableError:
    "The camera is busy. Close the other program or tab that uses it, then press 'Turn on camera' again.",
  insecure:
    "Browsers give the camera only to secure pages. Open this page as http://localhost on the machine it runs on, or over https.",
};
const OTHER =
  "The camera did not start. Plug it in again or restart the browser, then press 'Turn on camera' again.";

// The stream opens the camera a moment after this check; while the check holds it, no browser
// asks for permission twice.
const HOLD_MS = 6000;

// An answer to the connection check comes with the redraw after the question.
const waiting = new WeakMap();

export default function (component) {
  const { parentElement, setTriggerValue, data } = component;
  const part = (name) => parentElement.querySelector(`[data-part="${name}"]`);
  const button = part("start");
  const problem = part("problem");
  const check = part("check");

  part("title").textContent = data.title;
  part("where").textContent = isLocal()
    ? "Your camera picture stays on this machine"
    : `Your camera picture goes to ${window.location.hostname}, encrypted, and no further`;
  part("kept").textContent = data.keeps
    ? "The expressions read from it go into your journal, which you can delete."
    : "The expressions read from it are not kept either.";

  parentElement.querySelector(".mm-lobby").dataset.ready = true;

  const show = (text) => {
    problem.textContent = text;
    problem.hidden = !text;
  };

  button.onclick = async () => {
    show("");
    if (!navigator.mediaDevices?.getUserMedia) {
      show(PROBLEMS.insecure);
      return;
    }
    button.disabled = true;
    try {
      const stream = await navigator.mediaDevices.getUserMedia({ video: true });
      setTimeout(() => stream.getTracks().forEach((track) => track.stop()), HOLD_MS);
      setTriggerValue("granted", true);
    } catch (error) {
      show(PROBLEMS[error.name] ?? OTHER);
    } finally {
      button.disabled = false;
    }
  };

  const question = waiting.get(parentElement);
  if (question && data.answer?.number === question.number) question.resolve(data.answer);

  const say = (findings, done) => {
    part("findings").replaceChildren(
      ...findings.map(({ ok, text }) => {
        const line = document.createElement("li");
        line.dataset.ok = ok;
        line.textContent = text;
        return line;
      }),
    );
    check.textContent = done ? "Check again" : "Checking …";
    check.disabled = !done;
  };

  check.onclick = () => {
    const ask = (sdp) =>
      new Promise((resolve) => {
        const number = Math.floor(Math.random() * 1e9);
        waiting.set(parentElement, { number, resolve });
        setTriggerValue("offer", { number, sdp });
      });
    checkAll(data.rtc, ask, say);
  };
}
