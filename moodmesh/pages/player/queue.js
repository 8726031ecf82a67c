// What has played, what plays and what comes. Pure: no page, no YouTube.

class SongQueue {
  constructor() {
    this.past = [];
    this.current = null;
    this.upcoming = [];
    this.pinned = false; // true once the listener has heard some of the current song
    this.dead = new Set(); // ids of songs none of whose videos plays here
  }

  isPlayable(song) {
    return Boolean(song && song.video_id) && !this.dead.has(song.id);
  }

  // A new queue changes what comes later, never the song that plays.
  replace(songs) {
    const byId = new Map(songs.map((song) => [song.id, song]));
    // A song that has found another video since is worth another try.
    for (const old of [this.current, ...this.upcoming]) {
      const fresh = old && byId.get(old.id);
      if (fresh && fresh.video_id !== old.video_id) this.dead.delete(fresh.id);
    }
    if (!this.pinned) {
      this.current = songs.find((song) => this.isPlayable(song)) || songs[0] || null;
      this.upcoming = songs.filter((song) => song !== this.current);
      return;
    }
    const at = songs.findIndex((song) => song.id === this.current.id);
    if (at >= 0) {
      this.current = { ...songs[at], video_id: songs[at].video_id || this.current.video_id };
      this.upcoming = songs.slice(at + 1);
    } else {
      const heard = new Set([this.current.id, ...this.past.map((song) => song.id)]);
      this.upcoming = songs.filter((song) => !heard.has(song.id));
    }
  }

  peek() {
    return this.upcoming.find((song) => this.isPlayable(song)) || null;
  }

  // To a song of the list, or to the next one that plays; null at the end of the queue.
  advance(id) {
    const target = id ? this.upcoming.find((song) => song.id === id) : this.peek();
    if (!target || !this.isPlayable(target)) return null;
    if (this.current && !this.dead.has(this.current.id)) this.past.push(this.current);
    this.upcoming = this.upcoming.slice(this.upcoming.indexOf(target) + 1);
    this.current = target;
    return target;
  }

  back() {
    const target = this.past.pop();
    if (!target) return null;
    if (this.current) this.upcoming.unshift(this.current);
    this.current = target;
    return target;
  }

  forget(id) {
    this.dead.add(id);
  }
}
