/* Postilion's page snippet. It sets no cookie and stores nothing before consent; see docs/how-to/website-snippet.md. */
(() => {
  "use strict";
  const stub = window.postilion || [];
  if (stub.version) return;
  const tag = document.currentScript || document.querySelector("script[data-write-key]");
  const option = (name, otherwise) => (tag && tag.getAttribute("data-" + name)) || otherwise;
  const key = option("write-key", "");
  const host = option("host", tag ? new URL(tag.src, location.href).origin : "").replace(/\/$/, "");
  const STORED = "postilion.queue";
  const MAX_QUEUE = 200, MAX_BYTES = 60000, MAX_AGE = 7 * 864e5, MAX_WAIT = 3e5;
  const privacy = navigator.globalPrivacyControl === true;

  let consent = { analytics: { granted: true, refused: false }[option("consent")] ?? null };
  let queue = [], userId, traits, userHash, timer, sending = false, failures = 0;

  const allowed = () => consent.analytics === true && !privacy;
  const refused = () => consent.analytics === false || privacy;
  const uuid = () =>
    crypto.randomUUID
      ? crypto.randomUUID()
      : "10000000-1000-4000-8000-100000000000".replace(/[018]/g, (c) =>
          (c ^ (crypto.getRandomValues(new Uint8Array(1))[0] & (15 >> (c / 4)))).toString(16));

  // What waits is kept over reloads, as far as storage is there and allowed.
  const keep = () => {
    try {
      if (allowed() && queue.length) localStorage.setItem(STORED, JSON.stringify(queue));
      else localStorage.removeItem(STORED);
    } catch {}
  };
  const restore = () => {
    try {
      const old = JSON.parse(localStorage.getItem(STORED) || "[]");
      const known = new Set(queue.map((call) => call.messageId));
      queue = old
        .filter((call) => !known.has(call.messageId) && Date.now() - Date.parse(call.timestamp) < MAX_AGE)
        .concat(queue)
        .slice(-MAX_QUEUE);
    } catch {}
  };

  const context = () => {
    const query = new URLSearchParams(location.search), campaign = {};
    for (const [name, value] of query)
      if (name.startsWith("utm_")) campaign[name === "utm_campaign" ? "name" : name.slice(4)] = value;
    const page = {
      path: location.pathname,
      url: location.origin + location.pathname,
      title: document.title,
      referrer: document.referrer,
    };
    const found = { page, locale: navigator.language, library: { name: "postilion.js", version: "1" } };
    if (Object.keys(campaign).length) found.campaign = campaign;
    if (userHash) found.user_hash = userHash;
    return found;
  };

  // As many of the oldest calls as one request may hold.
  const batch = () => {
    const calls = [];
    let size = 0;
    for (const call of queue) {
      size += JSON.stringify(call).length * 1.1 + 2;
      if (calls.length && size > MAX_BYTES) break;
      calls.push(call);
    }
    return calls;
  };
  const body = (calls) =>
    JSON.stringify({
      batch: calls,
      sentAt: new Date().toISOString(),
      writeKey: key,
      context: { consent: { analytics: privacy ? false : consent.analytics } },
    });
  const drop = (calls) => {
    const gone = new Set(calls);
    queue = queue.filter((call) => !gone.has(call));
    keep();
  };
  const later = (wait) => {
    clearTimeout(timer);
    timer = setTimeout(flush, wait);
  };

  const flush = async () => {
    if (sending || !queue.length || navigator.onLine === false) return;
    sending = true;
    const calls = batch();
    let wait = 0;
    try {
      const answer = await fetch(host + "/v1/batch", {
        method: "POST",
        body: body(calls),
        headers: { "Content-Type": "text/plain" },
        credentials: refused() ? "omit" : "include",
        keepalive: true,
      });
      if (answer.status === 429 || answer.status >= 500) wait = 1e3 * (answer.headers.get("Retry-After") || 1);
      else drop(calls); // stored, or refused for good
    } catch {
      wait = 1e3;
    }
    sending = false;
    failures = wait ? failures + 1 : 0;
    if (queue.length) later(wait && Math.min(MAX_WAIT, Math.max(wait, 1e3 * 2 ** failures * (0.5 + Math.random() / 2))));
  };

  // The last chance of a page that is left: calls that arrive twice have the same ids and count once.
  const leave = () => {
    if (!queue.length || navigator.onLine === false) return;
    const calls = batch();
    // A beacon carries the cookie; without consent a plain request that outlives the page does not.
    if (allowed()) {
      if (navigator.sendBeacon(host + "/v1/batch", body(calls))) drop(calls);
    } else {
      fetch(host + "/v1/batch", {
        method: "POST", body: body(calls), headers: { "Content-Type": "text/plain" }, credentials: "omit", keepalive: true,
      }).catch(() => {});
      drop(calls);
    }
  };

  const add = (type, fields) => {
    const call = { type, messageId: uuid(), timestamp: new Date().toISOString(), context: context(), ...fields };
    if (userId && allowed()) call.userId = userId;
    queue.push(call);
    queue = queue.slice(-MAX_QUEUE);
    keep();
    later(queue.length > 19 ? 0 : 300);
  };

  const api = {
    version: 1,
    page: (name, properties) =>
      add("page", typeof name === "object" ? { properties: name } : { name, properties }),
    track: (event, properties) => add("track", { event, properties }),
    // `options.userHash` is made by the shop's server and lets a public key speak of a known user.
    identify: (id, values, options = {}) => {
      if (typeof id === "object" && id) [id, values] = [undefined, id];
      if (id != null) userId = String(id);
      userHash = options.userHash || userHash;
      traits = values;
      if (allowed()) add("identify", { traits });
    },
    group: (groupId, values) => allowed() && add("group", { groupId, traits: values }),
    // `consent({ analytics: true })` lets it identify and store; false forgets what is stored.
    consent: (given) => {
      const before = allowed();
      consent = { ...consent, ...given };
      if (allowed() && !before) {
        restore();
        keep();
        if (userId) add("identify", { traits });
        later(0);
      } else if (!allowed() && before) {
        queue = [];
        keep();
        fetch(host + "/v1/forget", { method: "POST", credentials: "include", keepalive: true }).catch(() => {});
      }
    },
    // For shared devices, at sign-out: the next calls are somebody else's.
    reset: () => {
      userId = traits = userHash = undefined;
      leave();
      fetch(host + "/v1/forget", { method: "POST", credentials: "include", keepalive: true }).catch(() => {});
    },
    flush,
  };
  window.postilion = { ...api, push: (call) => api[call[0]] && api[call[0]](...call.slice(1)) };

  addEventListener("online", () => later(0));
  addEventListener("pagehide", leave);
  document.addEventListener("visibilitychange", () => document.visibilityState === "hidden" && leave());
  if (allowed()) restore();
  if (option("auto-page", "true") !== "false") api.page();
  for (const call of stub) window.postilion.push(call);
})();
