// A media key goes to a page that sounds, and YouTube's frame, which sounds, knows of no next song.
// Where several frames of a tab sound, Chromium gives the key to the topmost: so the page itself plays
// silence while a song plays, and the keys reach its own queue.

const SILENCE_SECONDS = 10; // a sound of less than five seconds counts as a beep, not as media
const SILENCE_RATE = 8000;
const SILENCE_LEVEL = 128; // the middle of 8 bits

function silentSound() {
  const samples = SILENCE_SECONDS * SILENCE_RATE;
  const bytes = new Uint8Array(44 + samples).fill(SILENCE_LEVEL, 44);
  const view = new DataView(bytes.buffer);
  const words = (at, text) => [...text].forEach((c, i) => view.setUint8(at + i, c.charCodeAt(0)));
  words(0, "RIFF");
  view.setUint32(4, 36 + samples, true);
  words(8, "WAVEfmt ");
  view.setUint32(16, 16, true); // the length of what follows up to "data"
  view.setUint16(20, 1, true); // plain samples
  view.setUint16(22, 1, true); // one channel
  view.setUint32(24, SILENCE_RATE, true);
  view.setUint32(28, SILENCE_RATE, true); // bytes a second
  view.setUint16(32, 1, true); // bytes a sample
  view.setUint16(34, 8, true); // bits a sample
  words(36, "data");
  view.setUint32(40, samples, true);
  return new Blob([bytes], { type: "audio/wav" });
}

class Silence {
  // Other engines choose by other rules, and on some a second sound stops the first.
  get helps() {
    return Boolean(navigator.userAgentData && navigator.mediaSession);
  }

  set(playing) {
    if (!this.helps || (!playing && !this.sound)) return;
    if (!this.sound) {
      this.address = URL.createObjectURL(silentSound());
      this.sound = new Audio(this.address);
      this.sound.loop = true;
    }
    if (playing) this.sound.play().catch(() => {}); // before any press; the next song tries again
    else this.sound.pause();
  }

  close() {
    if (!this.sound) return;
    this.sound.pause();
    URL.revokeObjectURL(this.address);
    this.sound = null;
  }
}
