// Two YouTube players on one stage: one plays, the other holds the next video ready.

const API_ADDRESS = "https://www.youtube.com/iframe_api";
const PATIENCE_MS = 8000; // until YouTube counts as out of reach
const START_PATIENCE_MS = 6000; // until a video that does not start counts as refused

function loadYouTube() {
  if (window.YT && window.YT.Player) return Promise.resolve(window.YT);
  if (window.moodmeshYouTube) return window.moodmeshYouTube;
  window.moodmeshYouTube = new Promise((resolve, reject) => {
    const script = document.createElement("script");
    const fail = () => {
      window.clearTimeout(timer);
      script.remove();
      window.moodmeshYouTube = null;
      reject(new Error("YouTube did not answer"));
    };
    const timer = window.setTimeout(fail, PATIENCE_MS);
    const before = window.onYouTubeIframeAPIReady;
    window.onYouTubeIframeAPIReady = () => {
      window.clearTimeout(timer);
      if (before) before();
      resolve(window.YT);
    };
    script.src = API_ADDRESS;
    script.async = true;
    script.onerror = fail;
    document.head.appendChild(script);
  });
  return window.moodmeshYouTube;
}

class Deck {
  // `on` holds the callbacks: playing, paused, ended, failed(video), standbyFailed(video),
  // refused, unreachable.
  constructor(screens, on) {
    this.screens = screens;
    this.on = on;
    this.slots = [];
    this.active = null;
    this.volume = 80;
    this.wanted = null; // the video that should play; null while paused or idle
    this.closed = false;
  }

  async open(video, start) {
    try {
      const api = await loadYouTube();
      if (this.closed) return;
      if (!this.active) this.active = await this.addSlot(api, video);
      this.show(this.active);
      if (start) this.play(video);
    } catch {
      if (!this.closed) this.on.unreachable();
    }
  }

  get isOpen() {
    return this.active !== null;
  }

  addSlot(api, video) {
    return new Promise((resolve, reject) => {
      const holder = document.createElement("div");
      const mount = document.createElement("div");
      holder.className = "mm-screen";
      holder.appendChild(mount);
      this.screens.appendChild(holder);
      const slot = { holder, video, player: null, failed: false };
      const timer = window.setTimeout(() => {
        holder.remove();
        reject(new Error("The YouTube player did not answer"));
      }, PATIENCE_MS);
      slot.player = new api.Player(mount, {
        host: "https://www.youtube-nocookie.com",
        width: "100%",
        height: "100%",
        videoId: video,
        playerVars: {
          playsinline: 1,
          rel: 0,
          controls: 0,
          disablekb: 1,
          fs: 1,
          iv_load_policy: 3,
          origin: window.location.origin,
        },
        events: {
          onReady: () => {
            window.clearTimeout(timer);
            slot.player.setVolume(this.volume);
            this.slots.push(slot);
            resolve(slot);
          },
          onStateChange: (event) => this.stateChanged(slot, event.data),
          onError: () => this.failed(slot),
          onAutoplayBlocked: () => slot === this.active && this.refuse(),
        },
      });
    });
  }

  stateChanged(slot, state) {
    if (slot !== this.active) return;
    if (state === 1) {
      // It may start late, or by a press on the video itself.
      this.wanted = slot.video;
      window.clearTimeout(this.startTimer);
      this.on.playing();
    } else if (state === 2) {
      this.on.paused();
    } else if (state === 3) {
      window.clearTimeout(this.startTimer);
    } else if (state === 0 && this.wanted) {
      this.wanted = null;
      this.on.ended();
    }
  }

  failed(slot) {
    const { video } = slot;
    // A press while an error is on its way brings the same error twice, the second when another
    // video has been asked for: that one must not be taken for failed.
    const { video_id: about } = slot.player.getVideoData() || {};
    if (about && about !== video) return;
    slot.failed = true;
    if (slot === this.active) {
      window.clearTimeout(this.startTimer);
      this.on.failed(video);
    } else {
      slot.video = null;
      this.on.standbyFailed(video);
    }
  }

  refuse() {
    window.clearTimeout(this.startTimer);
    this.on.refused();
  }

  play(video) {
    const ready = this.slots.find((slot) => slot !== this.active && slot.video === video);
    this.wanted = video;
    if (ready && !ready.failed) {
      this.active.player.stopVideo();
      this.active.video = null;
      this.active = ready;
      this.show(ready);
      ready.player.playVideo();
    } else if (this.active.video === video && !this.active.failed) {
      this.active.player.playVideo();
    } else {
      this.active.video = video;
      this.active.failed = false;
      this.active.player.loadVideoById(video);
    }
    window.clearTimeout(this.startTimer);
    this.startTimer = window.setTimeout(() => this.refuse(), START_PATIENCE_MS);
  }

  // What would play on the next press, without a sound.
  cue(video) {
    if (this.active.video === video) return;
    this.active.video = video;
    this.active.failed = false;
    this.wanted = null;
    this.active.player.cueVideoById(video);
  }

  // The next video, behind the stage.
  async prepare(video) {
    if (this.slots.some((slot) => slot.video === video)) return;
    let slot = this.slots.find((other) => other !== this.active);
    if (slot) {
      slot.video = video;
      slot.failed = false;
      slot.player.cueVideoById(video);
      return;
    }
    if (this.preparing) return;
    this.preparing = true;
    try {
      slot = await this.addSlot(window.YT, video);
      if (slot !== this.active) slot.holder.classList.remove("mm-front");
    } catch {
      // The next video then loads when its turn comes.
    }
    this.preparing = false;
  }

  show(slot) {
    for (const other of this.slots) other.holder.classList.toggle("mm-front", other === slot);
  }

  pause() {
    window.clearTimeout(this.startTimer);
    if (this.active) this.active.player.pauseVideo();
  }

  stop() {
    this.wanted = null;
    window.clearTimeout(this.startTimer);
    if (this.active) this.active.player.stopVideo();
  }

  seek(seconds) {
    if (this.active) this.active.player.seekTo(seconds, true);
  }

  time() {
    return (this.active && this.active.player.getCurrentTime && this.active.player.getCurrentTime()) || 0;
  }

  duration() {
    return (this.active && this.active.player.getDuration && this.active.player.getDuration()) || 0;
  }

  setVolume(volume) {
    this.volume = volume;
    for (const slot of this.slots) slot.player.setVolume(volume);
  }

  close() {
    this.closed = true;
    window.clearTimeout(this.startTimer);
    for (const slot of this.slots) slot.player.destroy();
    this.screens.replaceChildren();
    this.slots = [];
    this.active = null;
  }
}
