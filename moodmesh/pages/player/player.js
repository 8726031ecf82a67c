// The player as the listener sees it, and its conversation with Python.
//
// Python sends the queue; the player reports events in one state value, `log`: every event keeps
// its number until Python has acknowledged it, so that none is lost between two runs of the script.

const EARLY_SECONDS = 30; // a skip before this, or before a quarter of the song, counts as early
const EARLY_SHARE = 0.25;
const RESTART_AFTER_SECONDS = 4; // 'previous' starts the song over once so much has played
const LOG_LIMIT = 200;
const VOLUME_KEY = "moodmesh.volume";

function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds || 0));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

function byline(song) {
  return [song.artist, song.year].filter(Boolean).join(" · ");
}

function inkOn(colour) {
  const hex = /^#([0-9a-f]{6})$/i.exec(colour || "");
  if (!hex) return "";
  const [r, g, b] = [0, 2, 4].map((at) => {
    const part = parseInt(hex[1].slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.2 ? "#14161a" : "#ffffff";
}

class Player {
  constructor(root, send) {
    this.root = root;
    this.send = send;
    this.client = Math.random().toString(36).slice(2, 12);
    this.number = 0;
    this.log = [];
    this.queue = new SongQueue();
    this.liked = new Set();
    this.tried = new Map(); // song id -> videos of it that failed here
    this.playing = false;
    this.unreachable = false;
    this.seeking = false;
    this.silence = new Silence();
    this.part = {};
    for (const node of root.querySelectorAll("[data-part]")) this.part[node.dataset.part] = node;
    this.deck = this.newDeck();
    this.listen();
    this.restoreVolume();
    this.ticker = window.setInterval(() => this.tick(), 500);
  }

  newDeck() {
    return new Deck(this.part.screens, {
      playing: () => this.onPlaying(),
      paused: () => this.setPlaying(false),
      ended: () => this.onEnded(),
      failed: (video) => this.onFailed(video),
      standbyFailed: (video) => this.onStandbyFailed(video),
      refused: () => this.onRefused(),
      unreachable: () => this.onUnreachable(),
    });
  }

  // ---- from Python ------------------------------------------------------------------------

  update(data, send) {
    this.send = send;
    if (data.ack && data.ack.client === this.client) {
      this.log = this.log.filter((event) => event.number > data.ack.number);
    }
    const before = this.queue.upcoming.map((song) => song.id).join();
    this.queue.replace(data.queue || []);
    for (const song of data.queue || []) if (song.liked) this.liked.add(song.id);
    this.part.lead.textContent = data.lead || "";
    this.mini = Boolean(data.mini);
    if (data.note || before !== this.queue.upcoming.map((song) => song.id).join()) {
      this.part.note.textContent = data.note || "";
    }
    if (data.accent) {
      this.root.style.setProperty("--mm-accent", data.accent);
      this.root.style.setProperty("--mm-ink", inkOn(data.accent));
    }
    this.allLink = data.queue_link || "";
    if (this.mini && !this.deck.isOpen) {
      // A page about something else asks YouTube for nothing until the listener has.
      Object.assign(this.root.dataset, { form: "mini", state: "empty" });
      return;
    }
    this.render();
    // The queue had come to its end; now there is more to hear.
    if (this.over && this.queue.peek()) this.next(null);
    else this.openDeck(Boolean(data.autoplay));
  }

  openDeck(autoplay) {
    const song = this.queue.current;
    if (!this.queue.isPlayable(song) || this.unreachable) return;
    if (!this.deck.isOpen) {
      if (this.opening) return;
      this.opening = true;
      const start = autoplay && !this.startedOnce;
      this.startedOnce = this.startedOnce || start;
      this.deck.open(song.video_id, false).then(() => {
        this.opening = false;
        if (!this.deck.isOpen) return;
        if (start || this.pressed) this.play();
        else this.cueCurrent();
      });
    } else if (autoplay && !this.startedOnce) {
      this.startedOnce = true;
      this.play();
    } else if (!this.queue.pinned && !this.playing) {
      this.cueCurrent();
    }
  }

  cueCurrent() {
    const song = this.queue.current;
    if (this.queue.isPlayable(song) && !this.deck.wanted) this.deck.cue(this.videoOf(song));
  }

  // ---- to Python --------------------------------------------------------------------------

  report(kind, song, more = {}) {
    this.number += 1;
    this.log.push({
      number: this.number,
      kind,
      song_id: song ? song.id : null,
      video_id: song ? this.videoOf(song) : null,
      position_s: Math.round(this.deck.time()),
      duration_s: Math.round(this.deck.duration()),
      at: new Date().toISOString(),
      ...more,
    });
    this.log = this.log.slice(-LOG_LIMIT);
    this.send("log", {
      client: this.client,
      events: this.log,
      current: this.queue.pinned && this.queue.current ? this.queue.current.id : null,
      upcoming: this.queue.upcoming.map((item) => item.id),
      playing: this.playing,
    });
  }

  // ---- playing ----------------------------------------------------------------------------

  videoOf(song) {
    const failed = this.tried.get(song.id) || new Set();
    const all = [song.video_id, ...(song.alt_ids || [])].filter(Boolean);
    return all.find((video) => !failed.has(video)) || null;
  }

  play() {
    const song = this.queue.current;
    if (!this.queue.isPlayable(song)) {
      this.next(null);
      return;
    }
    this.pressed = true;
    if (!this.deck.isOpen) {
      this.openDeck(true);
      this.render();
      return;
    }
    this.hint("");
    this.deck.play(this.videoOf(song));
    this.render();
  }

  toggle() {
    if (this.playing) {
      this.deck.pause();
      this.setPlaying(false);
    } else if (this.unreachable) {
      this.pressed = true;
      this.retry();
    } else {
      this.play();
    }
  }

  // `how` is the event that ends the current song; null where it never really played.
  next(how, id) {
    const leaving = this.queue.current;
    if (how && leaving && this.queue.pinned) this.report(how, leaving);
    const song = this.queue.advance(id);
    this.queue.pinned = false;
    this.counted = false;
    if (song) {
      this.over = false;
      this.startedOnce = true;
      this.queue.pinned = true;
      this.play();
    } else {
      this.setPlaying(false);
      if (this.deck.isOpen) this.deck.stop();
      this.queue.pinned = Boolean(leaving);
      this.over = true;
      this.report("over", leaving);
    }
    this.render();
  }

  skip(id) {
    const share = this.deck.duration() * EARLY_SHARE;
    const early = this.deck.time() < Math.min(EARLY_SECONDS, share || EARLY_SECONDS);
    const heard = this.counted && !this.over;
    this.next(heard ? (early ? "skipped_early" : "skipped_late") : null, id);
  }

  previous() {
    const song = this.queue.current;
    if (song && this.deck.time() > RESTART_AFTER_SECONDS) {
      if (this.deck.time() > EARLY_SECONDS) this.report("replayed", song);
      this.deck.seek(0);
      return;
    }
    const earlier = this.queue.back();
    if (earlier) {
      this.report("replayed", earlier);
      this.play();
      this.render();
    } else if (this.deck.isOpen) {
      this.deck.seek(0);
    }
  }

  like() {
    const song = this.queue.current;
    if (!song) return;
    if (this.liked.delete(song.id)) {
      this.report("unliked", song);
    } else {
      this.liked.add(song.id);
      this.report("liked", song);
    }
    this.render();
  }

  dislike() {
    const song = this.queue.current;
    if (!song) return;
    this.liked.delete(song.id);
    this.report("disliked", song);
    this.next(null);
  }

  // ---- from YouTube -----------------------------------------------------------------------

  onPlaying() {
    this.over = false;
    this.queue.pinned = true;
    this.startedOnce = true;
    const fresh = !this.counted || this.countedId !== this.queue.current.id;
    this.counted = true;
    this.countedId = this.queue.current.id;
    this.hint("");
    this.setPlaying(true);
    if (fresh) this.report("playing", this.queue.current);
    this.prepareNext();
    this.tellSystem();
  }

  prepareNext() {
    const song = this.queue.peek();
    if (song && this.playing) this.deck.prepare(this.videoOf(song));
  }

  onEnded() {
    this.next("finished");
  }

  markFailed(song, video) {
    const failed = this.tried.get(song.id) || new Set();
    failed.add(video);
    this.tried.set(song.id, failed);
    const out = this.videoOf(song) === null;
    if (out) this.queue.forget(song.id);
    this.report("unplayable", song, { video_id: video, last: out });
    return out;
  }

  onFailed(video) {
    const song = this.queue.current;
    if (!song || !video) return;
    const wasWanted = this.deck.wanted !== null || this.playing;
    const out = this.markFailed(song, video);
    if (!out) {
      if (wasWanted) this.play();
      else this.cueCurrent();
    } else if (wasWanted) {
      this.next(null);
    } else {
      this.queue.pinned = false;
      this.queue.replace([song, ...this.queue.upcoming]);
      this.cueCurrent();
    }
    this.render();
  }

  onStandbyFailed(video) {
    const song = this.queue.upcoming.find((item) => this.videoOf(item) === video);
    if (!song) return;
    this.markFailed(song, video);
    this.render();
    this.prepareNext();
  }

  onRefused() {
    if (this.playing) return;
    this.deck.wanted = null;
    this.setPlaying(false);
    this.hint("Press play to start the music");
    this.report("refused", this.queue.current);
  }

  onUnreachable() {
    this.unreachable = true;
    this.opening = false;
    this.setPlaying(false);
    this.report("unreachable", this.queue.current);
    this.render();
  }

  retry() {
    this.unreachable = false;
    this.deck.close();
    this.deck = this.newDeck();
    this.deck.volume = Number(this.part.volume.value);
    this.render();
    this.openDeck(this.pressed);
  }

  // ---- the system's media keys --------------------------------------------------------------

  tellSystem() {
    const session = navigator.mediaSession;
    const song = this.queue.current;
    if (!session || !song || !window.MediaMetadata) return;
    session.metadata = new MediaMetadata({
      title: song.title,
      artist: song.artist,
      artwork: song.artwork ? [{ src: song.artwork, sizes: "320x180", type: "image/jpeg" }] : [],
    });
    const act = {
      play: () => this.play(),
      pause: () => this.deck.pause(),
      nexttrack: () => this.skip(),
      previoustrack: () => this.previous(),
      seekto: (details) => this.deck.seek(details.seekTime),
    };
    for (const [name, handler] of Object.entries(act)) {
      try {
        session.setActionHandler(name, handler);
      } catch {
        // This browser has no such key.
      }
    }
  }

  // ---- what is seen -------------------------------------------------------------------------

  listen() {
    const acts = {
      toggle: () => this.toggle(),
      previous: () => this.previous(),
      next: () => this.skip(),
      like: () => this.like(),
      dislike: () => this.dislike(),
      retry: () => this.retry(),
    };
    this.root.addEventListener("click", (event) => {
      const button = event.target.closest("[data-act]");
      if (button) acts[button.dataset.act]();
      const row = event.target.closest("[data-jump]");
      if (row) this.skip(row.dataset.jump);
    });
    const keys = { k: "toggle", n: "next", p: "previous", l: "like" };
    this.root.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || !keys[event.key]) return;
      event.preventDefault();
      event.stopPropagation();
      acts[keys[event.key]]();
    });
    const { seek, volume, art } = this.part;
    seek.addEventListener("input", () => {
      this.seeking = true;
      this.showTime((Number(seek.value) / 1000) * this.deck.duration());
    });
    seek.addEventListener("change", () => {
      this.seeking = false;
      this.deck.seek((Number(seek.value) / 1000) * this.deck.duration());
    });
    volume.addEventListener("input", () => {
      this.deck.setVolume(Number(volume.value));
      this.fill(volume);
      try {
        window.localStorage.setItem(VOLUME_KEY, volume.value);
      } catch {
        // Private windows may refuse; the volume then lasts as long as the page.
      }
    });
    art.querySelector("img").addEventListener("error", (event) => {
      event.target.hidden = true;
    });
  }

  restoreVolume() {
    let kept = null;
    try {
      kept = window.localStorage.getItem(VOLUME_KEY);
    } catch {
      kept = null;
    }
    if (kept !== null && /^\d{1,3}$/.test(kept)) this.part.volume.value = kept;
    this.deck.setVolume(Number(this.part.volume.value));
    this.fill(this.part.volume);
  }

  fill(range) {
    range.style.setProperty("--mm-fill", `${(100 * range.value) / range.max}%`);
  }

  setPlaying(playing) {
    this.playing = playing;
    this.silence.set(playing);
    if (navigator.mediaSession) navigator.mediaSession.playbackState = playing ? "playing" : "paused";
    this.render();
  }

  hint(text) {
    this.part.hint.textContent = text;
    this.part.hint.hidden = !text;
  }

  showTime(seconds) {
    const duration = this.deck.duration() || (this.queue.current && this.queue.current.duration_s) || 0;
    this.part.elapsed.textContent = clock(seconds);
    this.part.duration.textContent = clock(duration);
    this.part.seek.setAttribute("aria-valuetext", `${clock(seconds)} of ${clock(duration)}`);
    if (!this.seeking) this.part.seek.value = duration ? Math.round((1000 * seconds) / duration) : 0;
    this.fill(this.part.seek);
  }

  tick() {
    if (this.playing && !this.seeking) this.showTime(this.deck.time());
  }

  render() {
    const song = this.queue.current;
    const { part, root } = this;
    const playable = this.queue.isPlayable(song) && !this.unreachable;
    root.dataset.state = !song ? "empty" : this.playing ? "playing" : this.queue.pinned ? "paused" : "ready";
    root.dataset.form = this.mini ? "mini" : "full";
    part["bar-song"].setAttribute("aria-hidden", String(!this.mini));
    root.dataset.reach = this.unreachable ? "none" : "ok";
    root.dataset.playable = playable ? "yes" : "no";
    part.title.textContent = song ? song.title : "Nothing playing yet";
    part.byline.textContent = song ? byline(song) : "";
    part.why.textContent = song ? song.why || "" : "";
    part["bar-title"].textContent = song ? song.title : "";
    // On a phone the bar is all that is in sight.
    part["bar-byline"].textContent = this.unreachable ? "YouTube is away" : song ? song.artist : "";
    part.open.hidden = !song;
    if (song) {
      part.open.href = song.url;
      part.open.textContent = song.video_id ? "Open in YouTube" : "Search on YouTube";
    }
    this.renderArt(song);
    this.renderControls(song, playable);
    const heading = this.over && this.queue.upcoming.length === 0 && song;
    part.empty.textContent = heading
      ? "That was the last song of this queue."
      : "Your songs appear here as soon as there is a mood to follow.";
    part.empty.hidden = this.queue.upcoming.length > 0 || (Boolean(song) && !heading);
    part.all.hidden = !this.allLink;
    if (this.allLink) part.all.href = this.allLink;
    this.renderNotice(song);
    this.renderList();
    if (!this.playing) this.showTime(this.counted ? this.deck.time() : 0);
  }

  renderNotice(song) {
    const { part, root } = this;
    const blocked =
      song && this.queue.dead.size > 0 && !this.queue.isPlayable(song) && !this.queue.peek();
    let text = "";
    if (this.unreachable) {
      text =
        "YouTube cannot be reached from here right now. Every song opens on YouTube in its own tab.";
    } else if (blocked) {
      text = "These songs may not be played outside YouTube. Each opens there in its own tab.";
    }
    part.notice.hidden = !text;
    part["notice-text"].textContent = text;
    root.querySelector('[data-act="retry"]').hidden = !this.unreachable;
  }

  renderArt(song) {
    const { art } = this.part;
    const image = art.querySelector("img");
    const letter = art.querySelector("span");
    letter.textContent = song ? [...song.title.trim()][0] || "♪" : "♪";
    art.style.setProperty("--mm-hue", song && song.hue !== undefined ? song.hue : 220);
    const source = (song && song.artwork) || "";
    if (image.getAttribute("src") === source) return;
    image.hidden = !source;
    if (source) image.setAttribute("src", source);
    else image.removeAttribute("src");
  }

  renderControls(song, playable) {
    const { root } = this;
    for (const button of root.querySelectorAll('[data-act="toggle"]')) {
      button.setAttribute("aria-label", this.playing ? "Pause" : "Play");
      button.disabled = !playable && !this.queue.peek();
    }
    const like = root.querySelector('[data-act="like"]');
    const likes = Boolean(song && this.liked.has(song.id));
    like.setAttribute("aria-pressed", String(likes));
    like.disabled = !song;
    root.querySelector('[data-act="dislike"]').disabled = !song;
    root.querySelector('[data-act="next"]').disabled = this.unreachable || !this.queue.peek();
    root.querySelector('[data-act="previous"]').disabled = this.unreachable || !song;
    this.part.seek.disabled = !this.counted || this.unreachable;
  }

  renderList() {
    const key = JSON.stringify([
      this.queue.upcoming.map((song) => [song.id, song.title, song.why, song.url]),
      [...this.queue.dead],
      this.unreachable,
    ]);
    if (key === this.listKey) return;
    this.listKey = key;
    const focused = document.activeElement && document.activeElement.dataset.jump;
    this.part.list.replaceChildren(...this.queue.upcoming.map((song) => this.row(song)));
    const again = focused && this.part.list.querySelector(`[data-jump="${CSS.escape(focused)}"]`);
    if (again) again.focus();
  }

  row(song) {
    const make = (tag, className, text) => {
      const node = document.createElement(tag);
      node.className = className;
      if (text !== undefined) node.textContent = text;
      return node;
    };
    const plays = this.queue.isPlayable(song) && !this.unreachable;
    const item = make("li", "mm-row");
    item.dataset.song = song.id;
    const main = make(plays ? "button" : "a", "mm-row-main");
    if (plays) {
      main.type = "button";
      main.dataset.jump = song.id;
      main.setAttribute("aria-label", `Play ${song.title} by ${song.artist}`);
    } else {
      main.href = song.url;
      main.target = "_blank";
      main.rel = "noopener noreferrer";
    }
    const thumb = make("span", "mm-thumb");
    thumb.style.setProperty("--mm-hue", song.hue === undefined ? 220 : song.hue);
    thumb.appendChild(make("span", "", [...song.title.trim()][0] || "♪"));
    if (song.artwork) {
      const image = make("img", "");
      image.alt = "";
      image.loading = "lazy";
      image.referrerPolicy = "no-referrer";
      image.src = song.artwork;
      image.onerror = () => image.remove();
      thumb.appendChild(image);
    }
    const words = make("span", "mm-row-words");
    const title = make("span", "mm-row-title", song.title);
    const artist = make("span", "mm-row-artist", byline(song));
    title.dir = "auto";
    artist.dir = "auto";
    words.append(title, artist, make("span", "mm-row-why", song.why || ""));
    main.append(thumb, words);
    if (!plays) {
      const known = song.video_id && !this.queue.dead.has(song.id);
      const link = make("span", "mm-row-link", known ? "Open" : "Search");
      link.appendChild(make("span", "mm-row-link-rest", known ? " in YouTube" : " on YouTube"));
      main.appendChild(link);
    } else if (song.duration_s) {
      main.appendChild(make("span", "mm-row-time", clock(song.duration_s)));
    }
    item.appendChild(main);
    return item;
  }

  close() {
    window.clearInterval(this.ticker);
    this.silence.close();
    this.deck.close();
  }
}

export default function (component) {
  const { parentElement, data, setStateValue } = component;
  const root = parentElement.querySelector(".mm-player");
  lastingPart(root, () => new Player(root, setStateValue)).update(data || {}, setStateValue);
  return cleanup(root);
}
