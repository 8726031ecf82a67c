// The connection check: says in plain words whether a camera's stream can reach the server, and
// what is wrong where it cannot. It opens no camera; its trial connection carries a few bytes.

const GATHER_MS = 6000; // a TURN server that does not answer is given up after this
const ANSWER_MS = 20000;
const CONNECT_MS = 12000;

const LOCAL = /^(localhost|127(\.\d+){3}|\[::1\])$/;

function isLocal() {
  return LOCAL.test(window.location.hostname);
}

function good(text) {
  return { ok: true, text };
}

function bad(text) {
  return { ok: false, text };
}

function checkOrigin() {
  if (window.isSecureContext && navigator.mediaDevices) return good("This page is secure.");
  const home = `http://localhost:${window.location.port || 80}`;
  return bad(
    `This page is not secure, so the browser gives it no camera. On the machine that runs the app open ${home}; from elsewhere the address has to begin with https.`,
  );
}

async function checkCamera() {
  if (!navigator.mediaDevices) return [];
  const found = [];
  const devices = await navigator.mediaDevices.enumerateDevices();
  found.push(
    devices.some((device) => device.kind === "videoinput")
      ? good("A camera is there.")
      : bad("No camera was found. Plug one in, or use a photo."),
  );
  try {
    const { state } = await navigator.permissions.query({ name: "camera" });
    if (state === "denied")
      found.push(
        bad(
          "The camera is blocked for this page. Click the camera or lock sign beside the address and allow it.",
        ),
      );
    else found.push(good(state === "granted" ? "The camera is allowed." : "The browser will ask you before the camera starts."));
  } catch {
    // Some browsers do not tell; they say it when the camera is turned on.
  }
  return found;
}

function within(promise, milliseconds) {
  return Promise.race([
    promise,
    new Promise((_, reject) => setTimeout(() => reject(new Error("too late")), milliseconds)),
  ]);
}

function passed(target, event, condition) {
  return new Promise((resolve) => {
    const look = () => condition() && resolve();
    target.addEventListener(event, look);
    look();
  });
}

// What the trial connection showed: {types, refused, connected, relayed, milliseconds, problem}.
async function tryConnection(configuration, ask) {
  const end = new RTCPeerConnection(configuration);
  const seen = { types: new Set(), refused: false, connected: false };
  try {
    const channel = end.createDataChannel("check");
    end.addEventListener("icecandidate", ({ candidate }) => {
      if (candidate?.type) seen.types.add(candidate.type);
    });
    end.addEventListener("icecandidateerror", ({ errorCode }) => {
      if (errorCode === 401) seen.refused = true;
    });
    const opened = passed(channel, "open", () => channel.readyState === "open");
    await end.setLocalDescription();
    const complete = () => end.iceGatheringState === "complete";
    await within(passed(end, "icegatheringstatechange", complete), GATHER_MS).catch(() => {});
    if (!seen.types.size) return seen; // no way out of this browser at all
    const answer = await within(ask(end.localDescription.sdp), ANSWER_MS);
    if (answer.problem) return { ...seen, problem: answer.problem };
    await end.setRemoteDescription({ type: "answer", sdp: answer.sdp });
    await within(opened, CONNECT_MS);
    const began = performance.now();
    const echoed = new Promise((resolve) => channel.addEventListener("message", resolve));
    channel.send("are you there?");
    await within(echoed, CONNECT_MS);
    seen.milliseconds = Math.max(1, Math.round(performance.now() - began));
    seen.connected = true;
    const stats = [...(await end.getStats()).values()];
    const pair = stats.find((one) => one.type === "candidate-pair" && one.nominated && one.state === "succeeded");
    seen.relayed = stats.some(
      (one) => [pair?.localCandidateId, pair?.remoteCandidateId].includes(one.id) && one.candidateType === "relay",
    );
  } catch (error) {
    seen.late = error.message === "too late";
  } finally {
    end.close();
  }
  return seen;
}

function sayConnection(seen, servers) {
  if (seen.problem) return bad(seen.problem);
  if (seen.connected) {
    const way = seen.relayed ? "through the relay" : "directly";
    return good(`Your picture can reach the server ${way} (${seen.milliseconds} ms there and back).`);
  }
  const relay = servers.some((server) => [].concat(server.urls).some((url) => url.startsWith("turn")));
  if (relay && seen.types.has("relay"))
    return bad(
      "The relay answers but does not reach the server. Whoever runs it should compare allowed-peer-ip in coturn's settings with the server's address.",
    );
  if (relay && seen.refused)
    return bad(
      "The relay refuses this server's password. Whoever runs it should compare network.turn_secret with coturn's static-auth-secret, and the clocks of both machines.",
    );
  if (relay)
    return bad(
      "Neither the server nor its relay can be reached from your network: a firewall blocks the stream (UDP). Try another network, or ask whoever runs the server for a relay over TLS (turns:).",
    );
  if (isLocal())
    return bad(
      "The picture finds no way to the app on this machine. A VPN, a firewall or a privacy extension may block WebRTC: turn it off for this page and check again.",
    );
  return bad(
    "A firewall between you and the server blocks the stream (UDP), and this server has no relay (TURN) that would lead around it. Try another network, or ask whoever runs the server to set up TURN.",
  );
}

// Calls `say` with the findings so far, again after each step; `ask` takes an offer to the server
// and gives its answer.
async function checkAll(configuration, ask, say) {
  const findings = [checkOrigin()];
  say(findings, false);
  findings.push(...(await checkCamera()));
  say(findings, false);
  if (typeof RTCPeerConnection === "undefined")
    findings.push(bad("This browser has no WebRTC, or an extension turned it off. Use another browser."));
  else {
    const seen = await tryConnection(configuration, ask);
    findings.push(sayConnection(seen, configuration.iceServers ?? []));
  }
  say(findings, true);
}
