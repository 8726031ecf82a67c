// Stands in for https://www.youtube.com/iframe_api at the network's edge: the same calls and
// events, videos that end on demand, and videos that fail as `window.stub.failing` says.
(() => {
  const stub = (window.stub = {
    players: [],
    failing: {},
    refusing: false,
    calls: [],
    ...window.stubSetup,
    sounding: () => stub.players.filter((player) => player.state === 1),
    end: () => stub.sounding().forEach((player) => player.to(0)),
  });

  class Player {
    constructor(mount, options) {
      this.on = options.events;
      this.video = options.videoId;
      this.host = options.host;
      this.state = -1;
      this.at = 0;
      this.volume = 100;
      const frame = document.createElement("iframe");
      frame.title = "stub video";
      frame.srcdoc = `<body style="margin:0;background:#123;color:#fff;display:grid;place-items:center;height:100vh;font:20px sans-serif">${options.videoId}</body>`;
      mount.replaceWith(frame);
      this.frame = frame;
      stub.players.push(this);
      this.later(() => {
        this.on.onReady({ target: this });
        this.to(5);
        this.check();
      });
    }
    later(run) {
      window.setTimeout(run, 5);
    }
    to(state) {
      this.state = state;
      this.later(() => this.on.onStateChange({ target: this, data: state }));
    }
    check() {
      const code = stub.failing[this.video];
      if (!code) return false;
      this.state = -1;
      const { video } = this;
      this.later(() => {
        this.said = video;
        this.on.onError({ target: this, data: code });
      });
      return true;
    }
    start() {
      if (this.check()) return;
      if (stub.refusing) {
        this.later(() => this.on.onAutoplayBlocked({ target: this }));
        return;
      }
      this.to(3);
      this.to(1);
    }
    load(video) {
      this.video = video;
      this.at = 0;
      this.frame.srcdoc = this.frame.srcdoc.replace(/>[^<]*<\/body>/, `>${video}</body>`);
    }
    loadVideoById(video) {
      stub.calls.push(["load", video]);
      this.load(video);
      this.start();
    }
    cueVideoById(video) {
      stub.calls.push(["cue", video]);
      this.load(video);
      this.to(5);
      this.check();
    }
    playVideo() {
      stub.calls.push(["play", this.video]);
      this.start();
    }
    pauseVideo() {
      stub.calls.push(["pause", this.video]);
      if (this.state === 1) this.to(2);
    }
    stopVideo() {
      this.state = 5;
      this.at = 0;
    }
    seekTo(seconds) {
      stub.calls.push(["seek", seconds]);
      this.at = seconds;
    }
    getCurrentTime() {
      return this.at;
    }
    getDuration() {
      return 200;
    }
    // Like the real one, what the frame said last, not what was asked of it last.
    getVideoData() {
      return { video_id: this.said ?? this.video };
    }
    setVolume(volume) {
      this.volume = volume;
    }
    destroy() {
      this.frame.remove();
      stub.players = stub.players.filter((player) => player !== this);
    }
  }
  window.YT = { Player };
  window.setTimeout(() => window.onYouTubeIframeAPIReady && window.onYouTubeIframeAPIReady(), 5);
})();
